import { COPY_DAYS_DEFAULT } from './retention/policy.ts'

const KIB = 1024
const GIB = 1024 ** 3

/** Every limit of the service, with its unit. Those marked * can be set by the environment. */
export interface Limits {
  /** * One uploaded file. */
  objectBytesMax: number
  /** * Files in one record. */
  objectsPerRecordMax: number
  /** * How long a draft record waits for its files. */
  draftDaysMax: number
  /** * Draft records one organisation may have at once. */
  draftsPerOrganisationMax: number
  /** * Uploads into drafts that one organisation may have unfinished at once. */
  openUploadsPerOrganisationMax: number
  /** * Bytes that the uploads in all drafts of one organisation may have, come or still to come. */
  draftBytesPerOrganisationMax: number
  /** * Whole days for which records stay after the day on which their case was closed. */
  copyDays: number
  /** One multipart field. */
  fieldBytesMax: number
  /** A request body that is not multipart. */
  bodyBytesMax: number
  /** Records named by one share. */
  recordsPerShareMax: number
  /** * How long somebody stays signed in at the pages who does nothing … */
  sessionIdleMinutesMax: number
  /** * … and whatever they do. */
  sessionHoursMax: number
  /** * How old a proof of who they are may be for what needs a fresh one. */
  proofMinutesMax: number
  /** * Life of a share when the request names none. */
  shareHoursDefault: number
  /** * Longest life of a share. */
  shareHoursMax: number
  /** * How long one opening of a link lets its specialist read. */
  openingHoursMax: number
  /** * Content streams one account may have open at once. */
  streamsPerAccountMax: number
  /** * Uploads one account may have under way at once; each holds up to 2 MiB of memory. */
  uploadsPerAccountMax: number
  /** Pieces in which one resumable upload may come, however small they are: so many … */
  uploadPiecesSpareMax: number
  /** … and one more for so many of its bytes. */
  uploadPieceBytes: number
  /** What a sender must bring on average over a minute in which nobody else may add to the upload. */
  uploadBytesPerSecondMin: number
  /** * A content stream that moves no byte for this long is cut. */
  stallSecondsMax: number
  /** How soon a withdrawn or expired share cuts a running stream. */
  cutMillisecondsMax: number
  /** * How long a service that is told to stop still takes requests, and says that it is not ready. */
  leaveSecondsMax: number
  /** * How long a graceful stop waits for running streams. */
  drainSecondsMax: number
  /** * Refused attempts one address may make in a minute before it is told to wait. */
  refusalsPerMinuteMax: number
  /** * Requests for the public log that one network may make in a second, in the long run … */
  logRequestsPerSecondMax: number
  /** * … and how many at once. */
  logRequestsBurstMax: number
  /** Lines in one page of a list. */
  pageSizeMax: number
  pageSizeDefault: number
  /** * Writes that share one commit, on SQLite. */
  commitGroupMax: number
  /** * Connections to PostgreSQL at once; one more tells the others that this process lives. */
  databaseConnectionsMax: number
  /** * Uploads stop while the disk has less room than this. */
  freeBytesMin: number
  /** Everything stops while it has less than this: second events still fit. */
  accessFreeBytesMin: number
}

/** Every limit with its default, and those that may be set with their bounds. */
export function readLimits(
  number: (name: string, fallback: number, min: number, max: number) => number
): Limits {
  const limits: Limits = {
    objectBytesMax: number('CONSILIUM_OBJECT_BYTES_MAX', 20 * GIB, 1, 1024 * GIB),
    objectsPerRecordMax: number('CONSILIUM_OBJECTS_PER_RECORD_MAX', 5000, 1, 100_000),
    draftDaysMax: number('CONSILIUM_DRAFT_DAYS_MAX', 7, 1, 90),
    draftsPerOrganisationMax: number('CONSILIUM_DRAFTS_PER_ORGANISATION_MAX', 200, 1, 100_000),
    openUploadsPerOrganisationMax: number(
      'CONSILIUM_OPEN_UPLOADS_PER_ORGANISATION_MAX',
      2000,
      1,
      1_000_000
    ),
    draftBytesPerOrganisationMax: number(
      'CONSILIUM_DRAFT_BYTES_PER_ORGANISATION_MAX',
      512 * GIB,
      1,
      1024 ** 2 * GIB
    ),
    copyDays: number('CONSILIUM_COPY_DAYS', COPY_DAYS_DEFAULT, 1, 36_500),
    fieldBytesMax: 2 * KIB,
    bodyBytesMax: 256 * KIB,
    recordsPerShareMax: 200,
    sessionIdleMinutesMax: number('CONSILIUM_SESSION_IDLE_MINUTES_MAX', 30, 1, 1440),
    sessionHoursMax: number('CONSILIUM_SESSION_HOURS_MAX', 12, 1, 168),
    proofMinutesMax: number('CONSILIUM_PROOF_MINUTES_MAX', 10, 1, 1440),
    shareHoursDefault: number('CONSILIUM_SHARE_HOURS_DEFAULT', 72, 1, 720),
    shareHoursMax: number('CONSILIUM_SHARE_HOURS_MAX', 720, 1, 720),
    openingHoursMax: number('CONSILIUM_OPENING_HOURS_MAX', 12, 1, 720),
    streamsPerAccountMax: number('CONSILIUM_STREAMS_PER_ACCOUNT_MAX', 16, 1, 1000),
    uploadsPerAccountMax: number('CONSILIUM_UPLOADS_PER_ACCOUNT_MAX', 8, 1, 1000),
    uploadPiecesSpareMax: 1000,
    uploadPieceBytes: 16 * KIB,
    uploadBytesPerSecondMin: 256,
    stallSecondsMax: number('CONSILIUM_STALL_SECONDS_MAX', 120, 1, 86_400),
    cutMillisecondsMax: 500,
    leaveSecondsMax: number('CONSILIUM_LEAVE_SECONDS', 0, 0, 600),
    drainSecondsMax: number('CONSILIUM_DRAIN_SECONDS_MAX', 30, 0, 3600),
    refusalsPerMinuteMax: number('CONSILIUM_REFUSALS_PER_MINUTE_MAX', 120, 1, 1_000_000),
    logRequestsPerSecondMax: number('CONSILIUM_LOG_REQUESTS_PER_SECOND_MAX', 200, 1, 1_000_000),
    logRequestsBurstMax: number('CONSILIUM_LOG_REQUESTS_BURST_MAX', 2000, 1, 1_000_000),
    pageSizeMax: 200,
    pageSizeDefault: 50,
    commitGroupMax: number('CONSILIUM_COMMIT_GROUP_MAX', 128, 1, 10_000),
    databaseConnectionsMax: number('CONSILIUM_DATABASE_CONNECTIONS_MAX', 16, 2, 1000),
    freeBytesMin: number('CONSILIUM_FREE_BYTES_MIN', GIB, 0, 1024 * GIB),
    accessFreeBytesMin: 0
  }
  limits.accessFreeBytesMin = Math.floor(limits.freeBytesMin / 4)
  return limits
}
