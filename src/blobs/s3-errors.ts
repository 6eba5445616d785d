import { BlobError } from './blobs.ts'

/** What an operator can do something about. */
export type S3Trouble =
  | 'bucket'
  | 'region'
  | 'clock'
  | 'credentials'
  | 'permission'
  | 'full'
  | 'busy'
  | 'unreachable'

/** Error codes of Amazon S3 ("Error responses" in its API reference) and of stores that follow it. */
const names: Record<S3Trouble, string[]> = {
  bucket: ['NoSuchBucket', 'InvalidBucketName'],
  region: [
    'PermanentRedirect',
    'TemporaryRedirect',
    'AuthorizationHeaderMalformed',
    'IllegalLocationConstraintException',
    'MovedPermanently'
  ],
  clock: ['RequestTimeTooSkewed', 'RequestExpired', 'RequestInTheFuture'],
  credentials: [
    'CredentialsProviderError',
    'ExpiredToken',
    'InvalidAccessKeyId',
    'InvalidToken',
    'SignatureDoesNotMatch',
    'TokenProviderError',
    'TokenRefreshRequired',
    // What versitygw says of a key that it does not know.
    'XAdminUserNotFound'
  ],
  permission: ['AccessDenied', 'AllAccessDisabled', 'Forbidden', 'KMS.AccessDeniedException'],
  full: ['QuotaExceeded', 'XMinioStorageFull', 'XMinioAdminBucketQuotaExceeded'],
  busy: ['InternalError', 'OperationAborted', 'ServiceUnavailable', 'SlowDown'],
  unreachable: ['TimeoutError', 'RequestTimeout']
}

const sentences: Record<S3Trouble, string> = {
  bucket: 'there is no such bucket',
  region: 'the bucket is in another region',
  clock: 'the clock of this machine is wrong',
  credentials: 'the credentials are missing, unknown or expired',
  permission: 'the credentials do not allow it',
  full: 'there is no room',
  busy: 'the store is not able to answer now',
  unreachable: 'the store cannot be reached'
}

/** What is wrong with the store itself, undefined when the error tells nothing an operator could mend. */
export function troubleOf(error: unknown): S3Trouble | undefined {
  if (!(error instanceof Error)) return undefined
  const known = Object.entries(names).find(([, codes]) => codes.includes(error.name))
  if (known !== undefined) return known[0] as S3Trouble
  const status = statusOf(error)
  if (status === 301 || status === 307) return 'region'
  if (status === 403) return 'permission'
  if (status === 507) return 'full'
  if (status !== undefined && status >= 500) return 'busy'
  // What Node says of a connection: ECONNREFUSED, ENOTFOUND, CERT_HAS_EXPIRED, ERR_TLS_….
  return status === undefined && 'code' in error ? 'unreachable' : undefined
}

export function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : ''
}

function statusOf(error: Error): number | undefined {
  const { $metadata: about } = error as { $metadata?: { httpStatusCode?: number } }
  return about?.httpStatusCode
}

/** Runs `work`; whatever the store refuses becomes a `BlobError` that keeps it as its cause. */
export async function attempt<T>(task: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof BlobError) throw error
    const trouble = troubleOf(error)
    const why = trouble === undefined ? '' : `: ${sentences[trouble]}`
    const code = trouble === 'full' ? 'blob-store-full' : 'blob-store-failed'
    throw new BlobError(code, `The blob store could not ${task}${why}.`, error)
  }
}
