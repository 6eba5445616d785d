import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import { S3Client } from '@aws-sdk/client-s3'
import type { S3Settings } from '../config-s3.ts'

/** How long the store may take and how often it is asked. */
export interface S3Patience {
  connectMilliseconds: number
  /** A connection on which no byte moves for this long is given up. */
  idleMilliseconds: number
  /** The same while the store puts the parts of a large object together. */
  assembleMilliseconds: number
  /** Attempts at one request, with growing pauses between them. */
  attemptsMax: number
}

export const s3Patience: S3Patience = {
  connectMilliseconds: 5000,
  idleMilliseconds: 60_000,
  assembleMilliseconds: 600_000,
  attemptsMax: 5
}

/**
 * Connections at once. A download holds one from its first byte to its last, so a smaller number
 * would let slow clients keep everybody else waiting.
 */
const SOCKETS_MAX = 1024

/** The bucket, and how to talk to it. */
export interface S3Store {
  settings: S3Settings
  client: S3Client
  /** For the one request that may take minutes. */
  patientClient: S3Client
  patience: S3Patience
}

/** Credentials come from the standard chain: environment, shared files, web identity, container, host. */
export function connectS3(settings: S3Settings, patience: S3Patience): S3Store {
  return {
    settings,
    patience,
    client: createClient(settings, patience, patience.idleMilliseconds),
    patientClient: createClient(settings, patience, patience.assembleMilliseconds)
  }
}

export function disconnectS3(store: S3Store): void {
  store.client.destroy()
  store.patientClient.destroy()
}

/** The key of a blob. Names are random, so their first byte spreads them evenly. */
export function keyOf({ settings }: S3Store, name: string): string {
  return `${settings.prefix}${name.slice(0, 2)}/${name}`
}

function createClient(settings: S3Settings, patience: S3Patience, idle: number): S3Client {
  const pool = { keepAlive: true, maxSockets: SOCKETS_MAX }
  const client = new S3Client({
    region: settings.region,
    ...(settings.endpoint !== undefined && { endpoint: settings.endpoint }),
    forcePathStyle: settings.pathStyle,
    maxAttempts: patience.attemptsMax,
    retryMode: 'standard',
    requestHandler: {
      connectionTimeout: patience.connectMilliseconds,
      socketTimeout: idle,
      httpAgent: new HttpAgent(pool),
      httpsAgent: new HttpsAgent(pool)
    },
    // We send a SHA-256 with all that we store. What we read, sealing authenticates.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    expectContinueHeader: false,
    followRegionRedirects: false,
    // A wrong clock would be wrong in the access log too: it is to be mended, not made up for.
    disableClockSkewCorrection: true,
    // What `AWS_ENDPOINT_URL` says for other programs is not meant for patients' records.
    ignoreConfiguredEndpointUrls: true
  })
  signDigest(client)
  return client
}

/** A body whose SHA-256 we give is signed by that; the client would hash it a second time. */
function signDigest({ middlewareStack }: S3Client): void {
  middlewareStack.add(
    next => args => {
      const { headers } = args.request as { headers: Record<string, string> }
      const given = headers['x-amz-checksum-sha256']
      if (given !== undefined) {
        headers['x-amz-content-sha256'] = Buffer.from(given, 'base64').toString('hex')
      }
      return next(args)
    },
    { step: 'build', name: 'signDigest' }
  )
}
