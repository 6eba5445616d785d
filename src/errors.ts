import type { Action } from '../schemas/audit-event.ts'
import type { RefusedFile } from '../schemas/inspection.ts'
import { logRefusals } from './audit/refusals.ts'
import { requestRefusals } from './cases/refusals.ts'
import { consentRefusals } from './consents/refusals.ts'
import { opinionRefusals } from './opinions/refusals.ts'
import { fileRefusals } from './records/refusals.ts'
import { registerRefusals } from './register/refusals.ts'
import { retentionRefusals } from './retention/refusals.ts'
import { sessionRefusals } from './sessions/refusals.ts'
import { timeRefusals } from './shares/more-time/refusals.ts'
import { transferRefusals } from './transfers/refusals.ts'
import { uploadRefusals } from './uploads/refusals.ts'

/**
 * Every refusal the exchange can answer, once: code → HTTP status, title and what to do next.
 * Clients and tests depend on the code; the sentences may be reworded. Public sentences name no
 * person, identifier or secret. The private detail goes to the log only.
 */
const table = {
  // Who is asking.
  'token-missing': [401, 'Sign in first', 'Send an access token in the Authorization header.'],
  'token-invalid': [401, 'Access token not accepted', 'Ask the token endpoint for a new one.'],
  'token-expired': [401, 'Access token has expired', 'Ask the token endpoint for a new one.'],
  'account-unknown': [403, 'No account here', 'Ask an administrator to enrol you.'],
  'account-disabled': [403, 'Account is disabled', 'Ask an administrator of your organisation.'],
  'too-many-streams': [429, 'Too many downloads at once', 'Wait until one of them has ended.'],
  'https-required': [403, 'HTTPS is required', 'Use the https address of the service.'],
  'too-many-uploads': [429, 'Too many uploads at once', 'Wait until one of them has ended.'],
  'role-refused': [403, 'Your role may not do this', 'Ask somebody whose role allows it.'],
  'too-many-attempts': [429, 'Too many refused attempts', 'Wait a minute, then try again.'],
  'too-many-requests': [429, 'Too many requests', 'Wait as long as Retry-After says.'],

  ...sessionRefusals,
  ...logRefusals,

  // What is asked for. Objects of other organisations answer as if they did not exist.
  'route-not-found': [404, 'No such page', 'Read the API description at /openapi.json.'],
  'case-not-found': [404, 'No such case', 'Check the case id.'],
  'record-not-found': [404, 'No such record', 'Check the record id.'],
  'object-not-found': [404, 'No such object', 'Check the object id.'],
  'share-not-found': [404, 'No such share', 'Ask the sender for a new link.'],
  'draft-not-found': [404, 'No such draft', 'Check the draft id; a draft ends after some days.'],
  'upload-not-found': [404, 'No such upload', 'Begin a new upload into the draft.'],
  'recipient-not-found': [
    404,
    'No recipient to encrypt to',
    'Check the account id, and ask the specialist to register their age recipient.'
  ],
  'account-not-found': [404, 'No such account', 'Check the account id.'],
  'webhook-not-found': [404, 'No such webhook', 'Check the webhook id.'],

  // The request itself.
  'request-invalid': [400, 'Request is not valid', 'See what is wrong under problems.'],
  'request-too-large': [
    413,
    'Request is too large',
    'Send less; limits are in the API description.'
  ],
  'format-refused': [406, 'Format not available', 'Ask for application/fhir+json.'],
  'media-type-refused': [415, 'Content type not accepted', 'See the API description.'],
  'cursor-invalid': [400, 'Page cursor is not valid', 'Start again from the first page.'],
  'patient-in-url': [
    400,
    'A patient may not be named in a URL',
    'Send the search by POST to /fhir/AuditEvent/_search.'
  ],
  'range-not-satisfiable': [
    416,
    'Range lies outside the content',
    'See Content-Range for the size.'
  ],
  'recipient-invalid': [
    422,
    'Not an age recipient',
    'Send the public key that age-keygen prints (age1…), never the identity.'
  ],
  'nhs-number-invalid': [
    422,
    'NHS number is not valid',
    'Check all ten digits; the last is a check digit.'
  ],

  // The request for a second opinion, and where its case stands.
  ...requestRefusals,

  // Uploaded files, and resumable upload.
  ...fileRefusals,
  ...uploadRefusals,

  // Shares and links.
  'link-incomplete': [
    400,
    'Link is incomplete',
    'Copy the whole link, or ask the sender to send it again.'
  ],
  'share-expired': [
    410,
    'Share has expired',
    'Ask the sender for more time: POST /v1/shares/{share}/more-time.'
  ],
  'share-revoked': [410, 'Share was withdrawn by its sender', 'Ask the sender.'],
  'share-not-yet-valid': [403, 'Share is not open yet', 'Try again after its start time.'],
  'share-openings-spent': [
    403,
    'All openings of this share are used',
    'Ask the sender for a new share.'
  ],
  'share-not-opened': [
    403,
    'Open the link first',
    'Send the link to /v1/links/open, then try again.'
  ],
  'share-ended': [409, 'Share has already ended', 'Nothing needs to be done.'],
  'record-not-in-case': [422, 'A record is not in this case', 'Name records of this case only.'],
  'patient-mismatch': [
    409,
    'A record may be of another patient',
    'Look at its patientReasons. If it is of this patient, say why to its patient-confirmation.'
  ],
  'confirmation-not-needed': [
    409,
    'There is nothing to confirm',
    'Nothing needs to be done: it is no mismatch, or a reason was stated before.'
  ],
  'record-in-quarantine': [
    409,
    'Record is in quarantine',
    'See under problems which record, why, and what to do.'
  ],
  'pseudonymise-not-dicom': [
    422,
    'Some files are not DICOM and cannot be pseudonymised',
    'Leave those records out, or name them in allowAsIs once somebody has looked at them.'
  ],
  'pseudonymise-held': [
    422,
    'Some files may show who the patient is',
    'Look at those records, then leave them out or name them in allowHeld.'
  ],
  'pseudonymise-names-patient': [
    422,
    'A text of this share names the patient',
    'Send another purpose, or a question of its own for this share.'
  ],
  'dicom-unreadable': [
    422,
    'DICOM file cannot be read to its end',
    'Export it again from the imaging system, or share it as it is.'
  ],
  'dicom-too-complex': [
    422,
    'DICOM file is too complex to be pseudonymised',
    'Export it again from the imaging system, or share it as it is.'
  ],
  'specialist-not-found': [422, 'No such specialist', 'Check the account id of the specialist.'],
  'share-life-invalid': [
    422,
    'Share life is not allowed',
    'At most 30 days, ending after it starts.'
  ],
  'share-begins-too-late': [
    422,
    'The share would begin after what it rests on has ended',
    'Let it begin earlier, or renew the consent or the safeguard first.'
  ],

  // Transfers abroad, and patients' consents.
  ...transferRefusals,
  ...consentRefusals,

  // The opinion that comes back, and what is written about it.
  ...opinionRefusals,
  // Time.
  ...timeRefusals,

  // The register of specialists, and invitations to it.
  ...registerRefusals,
  // What was erased, and what keeps it from being erased.
  ...retentionRefusals,
  // Webhooks.
  'webhook-address-refused': [
    422,
    'This address cannot be told anything',
    'Give a name that has public addresses only, or ask the operator to allow its network.'
  ],
  'too-many-webhooks': [409, 'Too many webhooks', 'Remove one that is not needed any more.'],

  // The service.
  'keys-unavailable': [
    503,
    'Keys are not available',
    'Nothing was kept or disclosed. Try again shortly.'
  ],
  'storage-low': [
    503,
    'Storage is almost full',
    'Tell the operator. Nothing was disclosed or changed.'
  ],
  'storage-full': [507, 'Storage is full', 'Tell the operator. Nothing was kept.'],
  'storage-unavailable': [503, 'Storage is not available', 'Nothing was kept. Try again shortly.'],
  'object-damaged': [
    500,
    'Stored object is damaged',
    'Tell the operator. Nothing wrong was delivered.'
  ],
  'service-stopping': [503, 'Service is restarting', 'Try again in a minute.'],
  'internal-error': [
    500,
    'Something went wrong here',
    'Try again; tell the operator the request id.'
  ]
} as const satisfies Record<string, readonly [status: number, title: string, next: string]>

export type RefusalCode = keyof typeof table

/** The public face of a refusal. */
export function publicFace(code: RefusalCode): { status: number; title: string; next: string } {
  const [status, title, next] = table[code]
  return { status, title, next }
}

export const refusalCodes = Object.keys(table) as RefusalCode[]

/** What the caller may be told beyond the sentence of the code. Never a secret, never a person. */
export interface RefusalExtra {
  /** One sentence each: which part of the request is wrong, and how. */
  problems?: string[]
  /** The file an upload stopped at, counted from 1. */
  filePosition?: number
  /** Every file of an upload of which none was taken. Their names go to their sender alone. */
  refused?: RefusedFile[]
  /** Response headers that belong to the refusal. */
  headers?: Record<string, string>
  /** It is on the access log already, in the transaction of what it ended. */
  recorded?: boolean
  /** What was refused, where that is something else than the route says. */
  action?: Action
  /** For the sealed details of the event alone. Nothing personal either. */
  logged?: Record<string, string>
  /** For the access log only: whose object was refused, or to whom. The caller is not told. */
  about?: {
    actorId?: string
    actorOrganisationId?: string
    organisationId?: string
    caseId?: string
    recordId?: string
    objectId?: string
    shareId?: string
    /** Instead of `shareId`, when the caller is no party to the share. */
    triedShareId?: string
    patientRef?: Buffer
    recipientCountry?: string
  }
}

/**
 * A request turned down for a reason we foresaw. `code` is public, `privateDetail` is for the log
 * and must hold nothing secret or personal either.
 */
export class Refusal extends Error {
  readonly code: RefusalCode
  readonly status: number
  readonly extra: RefusalExtra

  constructor(
    code: RefusalCode,
    privateDetail?: string,
    extra: RefusalExtra = {},
    cause?: unknown
  ) {
    super(privateDetail ?? publicFace(code).title, cause === undefined ? {} : { cause })
    this.name = 'Refusal'
    this.code = code
    this.status = publicFace(code).status
    this.extra = extra
  }
}
