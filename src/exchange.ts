import type { KeyObject } from 'node:crypto'
import type { FastifyBaseLogger } from 'fastify'
import type { Disclosures } from './audit/disclosures.ts'
import type { AuditLog } from './audit/log.ts'
import type { LogGuard } from './audit/tree/log-guard.ts'
import type { LogTree } from './audit/tree/log-tree.ts'
import type { Blobs } from './blobs/blobs.ts'
import type { Limits } from './config.ts'
import type { ConsentPolicy } from './consents/policy.ts'
import type { Database } from './database/database.ts'
import type { RefusalCounter } from './http/refusal-counter.ts'
import type { Streams } from './http/streams.ts'
import type { SignInIssuers } from './identity/sign-in-issuers.ts'
import type { Notices } from './notices/outbox.ts'
import type { Targets } from './notices/webhooks/targets.ts'
import type { InspectPool } from './records/inspect/inspect-pool.ts'
import type { Scanner } from './records/scan/scanner.ts'
import type { Keyring } from './sealing/keyrings/keyring.ts'
import type { SealPool } from './sealing/seal-pool.ts'
import type { LinkKeys, SignedLinks } from './shares/link.ts'
import type { Signatures } from './signatures.ts'

/** Milliseconds since 1970 UTC. One clock judges every expiry. */
export type Clock = () => number

/** Keys of the service itself; each is wrapped by the key ring in the table `service_keys`. */
export interface ServiceKeys {
  /** Opens the profiles of accounts. */
  directory: KeyObject
  /** HMAC key that turns a patient's identifier into `patient_ref`. */
  lookup: KeyObject
  /** Opens the details of audit events. */
  audit: KeyObject
}

/** Everything a flow may touch, made once by `app.ts` and handed down as an argument. */
export interface Exchange {
  /** Where its data are. */
  directory: string
  database: Database
  blobs: Blobs
  keyring: Keyring
  serviceKeys: ServiceKeys
  sealPool: SealPool
  /** Looks into files, in a thread that may be ended. */
  inspectPool: InspectPool
  /** Looks for malware; there may be none. */
  scanner: Scanner
  links: LinkKeys
  /** Links that name invitations to the register. */
  invitationLinks: SignedLinks
  /** Signs what leaves the service as a document of its own. */
  signatures: Signatures
  /** Issuers of others, through which people sign in. */
  signInIssuers: SignInIssuers
  audit: AuditLog
  /** The Merkle tree over the access log. */
  tree: LogTree
  logGuard: LogGuard
  disclosures: Disclosures
  /** Tells people, and systems of theirs, of what happens. */
  notices: Notices
  /** Says where webhooks may go. */
  targets: Targets
  /** Downloads under way. */
  streams: Streams
  /** Uploads under way. */
  uploads: Streams
  /** Counts refused requests, so that they cannot fill the log. */
  refusals: RefusalCounter
  /** Whether nothing is shared without the patient's recorded consent. */
  consent: ConsentPolicy
  clock: Clock
  limits: Limits
  log: FastifyBaseLogger
  /** Where people and machines reach this service, without a slash at its end. */
  publicUrl: string
}
