import { agreed, recordConsent } from '../helpers/consent.ts'
import {
  type Answer,
  type Client,
  createCase,
  NHS_NUMBER,
  NHS_SYSTEM,
  numberedText,
  openShare,
  PURPOSE,
  recordForm,
  type SentBody,
  type ShareMade,
  shareRecords,
  type TestExchange,
  uploadRecord
} from '../helpers/exchange.ts'
import { madeScan, SOMEBODY_ELSE } from '../helpers/made-dicom.ts'
import { attachmentForm } from '../opinions/scene.ts'
import { entryInput, invitationInput, invite, verify } from '../register/scene.ts'
import { beginDraft, beginUpload, metadata, sendPatch, TUS } from '../uploads/tus.ts'
import { type ShareState, shareStates } from './table.ts'

const HOUR = 3_600_000
/** By its address, so that no test depends on a name. Nothing is ever sent to it. */
const PUBLIC_RECEIVER = 'https://8.8.8.8/hook'

/** An opinion on the one question of the case. */
export const OPINION = {
  answers: [{ number: 1, answer: 'The first' }],
  diagnosis: { agreement: 'confirms' },
  plan: { agreement: 'cannot-say' }
}

/** One case of City Hospital with one record, shared with `specialistGb` in every state. */
export interface Scene {
  caseId: string
  recordId: string
  objectId: string
  /** A draft that is never changed, and an upload of ten bytes in it of which half has come. */
  draftId: string
  uploadId: string
  /** An event of City Hospital. */
  eventId: string
  /** An entry of the register that nobody has verified. */
  specialistId: string
  /** One of City Hospital that nobody has accepted. */
  invitationId: string
  webhookId: string
  consentId: string
  /** A hold on the case, and an erasure of another one of City Hospital. */
  holdId: string
  erasureId: string
  shares: Record<ShareState, ShareMade>
  /** Of `specialistGb`, who has registered a recipient. */
  accountId: string
}

/** A classic one, which is shorter. */
export const RECIPIENT = 'age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p'

/** The clock moves on by 13 hours meanwhile, so that the first opening of each share is over. */
export async function setScene(exchange: TestExchange): Promise<Scene> {
  const clinician = exchange.client('clinician')
  const specialist = exchange.client('specialistGb')
  const { id: caseId } = await createCase(clinician)
  const record = await uploadRecord(clinician, caseId, { files: [numberedText(40_000)] })
  const share = async (change: Parameters<typeof shareRecords>[3] = {}) => {
    const made = await shareRecords(exchange, caseId, [record.id], change)
    if (change.notBefore === undefined) await openShare(specialist, made.link)
    return made
  }
  const expired = await share({ lifeHours: 1 })
  const spent = await share({ openingsMax: 1 })
  exchange.clock.advance(13 * HOUR)
  const notBefore = new Date(exchange.clock.now() + 24 * HOUR).toISOString()
  const notYetValid = await share({ notBefore })
  const revoked = await share()
  await clinician.json('DELETE', `/v1/shares/${revoked.id}`)
  const replaced = await share()
  await specialist.json('POST', `/v1/shares/${replaced.id}/more-time`)
  await clinician.json('POST', `/v1/shares/${replaced.id}/more-time/approve`, { lifeHours: 100 })
  const live = await share()
  await specialist.json('PUT', '/v1/account/recipient', { recipient: RECIPIENT })
  const draft = await makeDraft(clinician, caseId)
  const [created] = await exchange.auditEvents({ action: 'case.create', caseId })
  const { id: webhookId }: { id: string } = await exchange
    .client('administrator')
    .json('POST', '/v1/webhooks', { url: PUBLIC_RECEIVER })
  const consent = await recordConsent(clinician, caseId, agreed(CONSENT_AT))
  return {
    caseId,
    consentId: consent.id,
    webhookId,
    holdId: await newHold(exchange, caseId),
    erasureId: await newErasure(exchange),
    recordId: record.id,
    objectId: String(record.objects[0]?.id),
    ...draft,
    eventId: String(created?.id),
    accountId: exchange.people.specialistGb.accountId,
    specialistId: await newEntry(exchange),
    invitationId: await newInvitation(exchange),
    shares: { live, expired, revoked, notYetValid, spent, replaced }
  }
}

/** Before any clock of these tests. */
const CONSENT_AT = Date.parse('2026-11-01T12:00:00.000Z')

const INVITED = 'invited@clinic.example'
let entries = 0

/** An entry of a registration of its own. */
export async function newEntry(exchange: TestExchange, verified = false): Promise<string> {
  entries += 1
  const input = entryInput({ registrationNumber: String(2_000_000 + entries) })
  const administrator = exchange.client('administrator')
  const { id } = await administrator.json<{ id: string }>('POST', '/v1/specialists', input)
  if (verified) await verify(exchange, id)
  return id
}

/** An invitation that the clinician of City Hospital has sent to somebody new. */
export async function newInvitation(exchange: TestExchange): Promise<string> {
  const { invitation } = await invite(exchange, { email: INVITED })
  return invitation.id
}

/** A hold that the administrator of City Hospital has put on its case. */
export async function newHold(exchange: TestExchange, caseId: string): Promise<string> {
  const administrator = exchange.client('administrator')
  const path = `/v1/cases/${caseId}/holds`
  const { id } = await administrator.json<{ id: string }>('POST', path, { reason: 'A claim' })
  return id
}

/** A case of City Hospital, with nothing in it, that was erased. */
async function newErasure(exchange: TestExchange): Promise<string> {
  const { id: caseId } = await createCase(exchange.client('clinician'))
  const path = `/v1/cases/${caseId}/erasure`
  const administrator = exchange.client('administrator')
  const { id } = await administrator.json<{ id: string }>('POST', path, { reason: 'By mistake' })
  return id
}

/** A record of City Hospital's case whose header names somebody else. */
export async function mismatch(exchange: TestExchange, caseId: string): Promise<string> {
  const file = { name: 'somebody.dcm', bytes: madeScan(SOMEBODY_ELSE) }
  const { id } = await uploadRecord(exchange.client('clinician'), caseId, { files: [file] })
  return id
}

/** A draft with an upload of ten bytes, of which half has come, or all. */
export async function makeDraft(
  clinician: Client,
  caseId: string,
  isWhole = false
): Promise<{ draftId: string; uploadId: string }> {
  const { id: draftId } = await beginDraft(clinician, caseId)
  const path = await beginUpload(clinician, 10, { draft: draftId, filename: 'ten.txt' })
  await sendPatch(clinician, path, 0, Buffer.from(isWhole ? '0123456789' : '01234'))
  return { draftId, uploadId: path.slice(path.lastIndexOf('/') + 1) }
}

/** The headers without which a route is of no use. */
export function headersFor(route: string, scene: Scene): Record<string, string> {
  if (route.endsWith('/import')) return { 'content-type': 'text/csv' }
  if (/^(PUT|POST) .*:specialist/.test(route)) {
    return { 'if-match': route.endsWith('/expire') ? '"2"' : '"1"' }
  }
  if (!route.includes('/v1/uploads')) return {}
  if (route.startsWith('PATCH')) {
    return { ...TUS, 'content-type': 'application/offset+octet-stream', 'upload-offset': '5' }
  }
  if (!route.startsWith('POST')) return TUS
  const values = { draft: scene.draftId }
  return { ...TUS, 'upload-length': '10', 'upload-metadata': metadata(values) }
}

/** What a route needs in its query. */
const queries: Record<string, string> = {
  '/v1/audit/questions/person': '?actor=00000000-0000-7000-8000-000000000000',
  '/fhir/DiagnosticReport': '?_id=00000000-0000-7000-8000-000000000000',
  '/fhir/Consent': '?_id=00000000-0000-7000-8000-000000000000',
  '/fhir/DocumentReference': '?_id=00000000-0000-7000-8000-000000000000'
}

/** The path of a route, with these values for its parameters. */
export function pathOf(url: string, values: Record<string, string>): string {
  const path = url.replace(/:(\w+)/g, (_, name: string) => values[name] ?? name)
  return `${path}${queries[url] ?? ''}`
}

/** The parameters of every route, as they are in the scene. */
export function parametersOf(scene: Scene, state: ShareState = 'live'): Record<string, string> {
  const {
    accountId,
    caseId,
    recordId,
    objectId,
    draftId,
    uploadId,
    eventId,
    webhookId,
    consentId,
    specialistId,
    invitationId,
    holdId,
    erasureId,
    shares
  } = scene
  return {
    case: caseId,
    // Nothing has this id: who needs an opinion makes one.
    opinion: '0190a5b0-0000-7000-8000-00000000000f',
    record: recordId,
    object: objectId,
    draft: draftId,
    upload: uploadId,
    event: eventId,
    specialist: specialistId,
    invitation: invitationId,
    webhook: webhookId,
    account: accountId,
    consent: consentId,
    hold: holdId,
    erasure: erasureId,
    share: shares[state].id
  }
}

/** A body that the route accepts. */
export function bodyOf(
  route: string,
  scene: Scene,
  specialist: string,
  state: ShareState = 'live'
): SentBody | undefined {
  const identifier = { system: NHS_SYSTEM, value: NHS_NUMBER }
  const patient = { identifier, name: 'Test', birthDate: '1970-01-01' }
  const ofPatient = new URLSearchParams({
    'patient.identifier': `${identifier.system}|${identifier.value}`
  })
  const bodies: Record<string, SentBody> = {
    'PUT /v1/account/recipient': { recipient: RECIPIENT },
    'POST /v1/accounts': { role: 'auditor', name: 'Wyn Wheatear' },
    'PUT /v1/accounts/:account/role': { role: 'administrator' },
    'POST /v1/organisations': { name: 'Galway Clinic', country: 'IE' },
    'POST /v1/cases': { patient, question: 'Which course is the better?' },
    'POST /v1/cases/search': { identifier },
    'PUT /v1/cases/:case/request': { conditionGroup: 'general', questions: [{ text: 'Why?' }] },
    'PUT /v1/cases/:case/checklist': { answers: [] },
    'POST /v1/cases/:case/consents': agreed(CONSENT_AT),
    'POST /v1/cases/:case/consents/:consent/withdraw': { reason: 'She would rather not' },
    'POST /v1/safeguards/withdraw': { type: 'idta', reference: 'IDTA-9', reason: 'It was ended' },
    'POST /v1/cases/:case/close': { reason: 'The answer came by post' },
    'POST /v1/cases/:case/reopen': { reason: 'It was the wrong one' },
    'POST /v1/cases/:case/holds': { reason: 'A claim' },
    'POST /v1/cases/:case/holds/:hold/lift': { reason: 'It was settled' },
    'POST /v1/cases/:case/erasure': { reason: 'The patient asked' },
    'POST /v1/specialists': entryInput({ registrationNumber: String(Math.random()).slice(2) }),
    'PUT /v1/specialists/:specialist': entryInput({
      registrationNumber: String(Math.random()).slice(2)
    }),
    'POST /v1/specialists/:specialist/verify': { evidence: 'Seen' },
    'POST /v1/specialists/:specialist/expire': { reason: 'Left' },
    'POST /v1/cases/:case/records': recordForm({ files: [numberedText(100)] }),
    'POST /v1/records/:record/patient-confirmation': {
      reason: 'Registered under her maiden name.'
    },
    'POST /v1/cases/:case/drafts': { kind: 'scan', title: 'A draft', date: '2026-11-02' },
    'POST /v1/cases/:case/shares': { specialist, records: [scene.recordId], purpose: PURPOSE },
    // Somebody whom the register has: no entry is made beside the invitation.
    'POST /v1/invitations': invitationInput({ email: INVITED }),
    'POST /v1/specialists/import': 'name,country,organisation,specialty,languages\n',
    'POST /v1/invitations/:invitation/resend': { codeChannel: 'telephone' },
    'POST /v1/shares/:share/more-time/approve': { lifeHours: 100 },
    'POST /v1/shares/:share/more-time/decline': { reason: 'The board sits tomorrow' },
    'POST /v1/links/open': { link: scene.shares[state].link },
    'POST /v1/links/look': { link: scene.shares[state].link },
    'PUT /v1/shares/:share/opinion': OPINION,
    'POST /v1/shares/:share/opinion/attachments': attachmentForm([numberedText(10)]),
    'POST /v1/shares/:share/opinion/addenda': { text: 'One thing more' },
    'POST /v1/shares/:share/decline': { reason: 'Not my field' },
    'POST /v1/shares/:share/messages': { text: 'Is there an earlier scan?' },
    'PUT /v1/account/notices': { reminders: true },
    'POST /v1/webhooks': { url: PUBLIC_RECEIVER },
    'POST /v1/audit/events/search': {},
    'POST /v1/audit/events/export': {},
    'POST /v1/audit/questions/patient': { patient: identifier },
    'POST /v1/audit/reports': { case: scene.caseId, format: 'json' },
    'POST /fhir/AuditEvent/_search': new URLSearchParams(),
    'POST /fhir/ServiceRequest/_search': new URLSearchParams(),
    'POST /fhir/DocumentReference/_search': ofPatient,
    'POST /fhir/DiagnosticReport/_search': ofPatient,
    'POST /fhir/Consent/_search': ofPatient
  }
  return bodies[route]
}

export function isShareState(text: string): text is ShareState {
  return (shareStates as readonly string[]).includes(text)
}

/** The code of a refusal, or `yes`. HEAD has no body to read it from. */
export function told(answer: Answer): string {
  if (answer.status < 300) return 'yes'
  return String(answer.json.code ?? codeInOutcome(answer.json) ?? answer.status)
}

/** The code of an OperationOutcome, which is how FHIR refuses. */
function codeInOutcome(json: Answer['json']): string | undefined {
  const { issue } = json as { issue?: { details: { coding: { code: string }[] } }[] }
  return issue?.[0]?.details.coding[0]?.code
}
