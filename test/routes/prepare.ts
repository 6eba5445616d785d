import { findOpinion } from '../../src/opinions/queries.ts'
import { agreed, recordConsent } from '../helpers/consent.ts'
import {
  createCase,
  numberedText,
  openShare,
  type SentBody,
  sharedRecord,
  shareRecords,
  type TestExchange
} from '../helpers/exchange.ts'
import { readyCase, tagOf } from '../helpers/request.ts'
import {
  makeDraft,
  mismatch,
  newEntry,
  newHold,
  newInvitation,
  OPINION,
  type Scene
} from './scene.ts'

/** What one try of a route needs of its own. */
export interface Prepared {
  /** Parameters of the path, in place of those of the scene. */
  values?: Record<string, string>
  headers?: Record<string, string>
  /** In place of the body of the scene. */
  body?: SentBody
}

type Prepare = (exchange: TestExchange, scene: Scene) => Promise<Prepared>

const ownDraft =
  (isWhole = false): Prepare =>
  async (exchange, { caseId }) => {
    const own = await makeDraft(exchange.client('clinician'), caseId, isWhole)
    return { values: { draft: own.draftId, upload: own.uploadId } }
  }

const ownCase: Prepare = async exchange => ({
  values: { case: (await createCase(exchange.client('clinician'))).id }
})

/** An entry is changed once in each of its versions; ending a verification needs one. */
const ownEntry =
  (isVerified = false): Prepare =>
  async exchange => ({ values: { specialist: await newEntry(exchange, isVerified) } })

/** A share of one's own, opened: its opinion is to be written, was saved, or was submitted. */
const ownOpinion =
  (until: 'opened' | 'saved' | 'submitted'): Prepare =>
  async (exchange, { caseId, recordId }) => {
    const specialist = exchange.client('specialistGb')
    const { id, link } = await shareRecords(exchange, caseId, [recordId])
    await openShare(specialist, link)
    const path = `/v1/shares/${id}/opinion`
    const headers = { 'if-match': '"0"' }
    if (until !== 'opened') await specialist.send('PUT', path, OPINION, headers)
    const tag = { 'if-match': '"1"' }
    if (until === 'submitted') await specialist.send('POST', `${path}/submit`, undefined, tag)
    return { values: { share: id }, headers: until === 'opened' ? headers : tag }
  }

/** A share whose specialist waits for more time. */
const waitingShare: Prepare = async (exchange, { caseId, recordId }) => {
  const { id } = await shareRecords(exchange, caseId, [recordId])
  await exchange.client('specialistGb').json('POST', `/v1/shares/${id}/more-time`)
  return { values: { share: id } }
}

const prepares: Record<string, Prepare> = {
  'GET /fhir/DiagnosticReport/:opinion': async (exchange, scene) => {
    const { values } = await ownOpinion('submitted')(exchange, scene)
    const { read } = exchange.exchange.database
    const [row] = await findOpinion(read, { shareId: String(values?.share) })
    return { values: { opinion: String(row?.id) } }
  },
  'POST /v1/shares/:share/more-time/approve': waitingShare,
  'POST /v1/shares/:share/more-time/decline': waitingShare,
  // Not the case of the scene, whose shares the others need.
  'POST /v1/shares/revoke': async exchange => {
    const { caseId } = await sharedRecord(exchange, [numberedText(10)], { opened: false })
    return { body: { case: caseId } }
  },
  // Some things can be done once, so each caller gets one of its own for them.
  'DELETE /v1/shares/:share': async (exchange, { caseId, recordId }) => ({
    values: { share: (await shareRecords(exchange, caseId, [recordId])).id }
  }),
  'DELETE /v1/invitations/:invitation': async exchange => ({
    values: { invitation: await newInvitation(exchange) }
  }),
  'POST /v1/records/:record/patient-confirmation': async (exchange, { caseId }) => ({
    values: { record: await mismatch(exchange, caseId) }
  }),
  'GET /v1/shares/:share/opinion': ownOpinion('submitted'),
  'PUT /v1/shares/:share/opinion': ownOpinion('opened'),
  'POST /v1/shares/:share/opinion/attachments': ownOpinion('opened'),
  'POST /v1/shares/:share/opinion/submit': ownOpinion('saved'),
  'POST /v1/shares/:share/opinion/addenda': ownOpinion('submitted'),
  'POST /v1/shares/:share/opinion/acknowledgement': ownOpinion('submitted'),
  'POST /v1/shares/:share/decline': ownOpinion('opened'),
  'DELETE /v1/drafts/:draft': ownDraft(),
  'POST /v1/drafts/:draft/complete': ownDraft(true),
  'PATCH /v1/uploads/:upload': ownDraft(),
  'DELETE /v1/uploads/:upload': ownDraft(),
  'PUT /v1/specialists/:specialist': ownEntry(),
  'POST /v1/specialists/:specialist/verify': ownEntry(),
  'POST /v1/specialists/:specialist/expire': ownEntry(true),
  // A case whose request is written is shared only when it is complete: not that of the scene.
  'PUT /v1/cases/:case/request': async (exchange, scene) => ({
    ...(await ownCase(exchange, scene)),
    headers: { 'if-match': '"0"' }
  }),
  'PUT /v1/cases/:case/checklist': async (exchange, { caseId }) => ({
    headers: { 'if-match': await tagOf(exchange.client('clinician'), caseId, 'checklist') }
  }),
  'POST /v1/cases/:case/consents/:consent/withdraw': async exchange => {
    const clinician = exchange.client('clinician')
    const { id } = await createCase(clinician)
    const consent = await recordConsent(clinician, id, agreed(exchange.clock.now()))
    return { values: { case: id, consent: consent.id } }
  },
  'POST /v1/cases/:case/complete': async exchange => ({
    values: {
      case: (await readyCase(exchange.client('clinician'), exchange.clock.now())).caseId
    }
  }),
  'POST /v1/cases/:case/close': ownCase,
  'POST /v1/cases/:case/reopen': async exchange => {
    const clinician = exchange.client('clinician')
    const { id } = await createCase(clinician)
    await clinician.json('POST', `/v1/cases/${id}/close`, { reason: 'Sent elsewhere' })
    return { values: { case: id } }
  }
}

/** A case that is closed, so that nothing but its erasure is on the log. */
const closedCase: Prepare = async (exchange, scene) => {
  const own = await ownCase(exchange, scene)
  const path = `/v1/cases/${own.values?.case}/close`
  await exchange.client('clinician').json('POST', path, { reason: 'Sent elsewhere' })
  return own
}

const retentionPrepares: Record<string, Prepare> = {
  'POST /v1/cases/:case/holds': ownCase,
  'POST /v1/cases/:case/holds/:hold/lift': async (exchange, { caseId }) => ({
    values: { hold: await newHold(exchange, caseId) }
  }),
  'POST /v1/cases/:case/erasure': closedCase
}

/** Somebody of City Hospital whom its administrator has just added, as they are to be. */
const ownPerson =
  (isDisabled = false): Prepare =>
  async exchange => {
    const administrator = exchange.client('administrator')
    const person = { role: 'auditor', name: 'Wyn Wheatear' }
    const { account } = await administrator.json<{ account: string }>(
      'POST',
      '/v1/accounts',
      person
    )
    if (isDisabled) await administrator.send('POST', `/v1/accounts/${account}/disable`)
    return { values: { account } }
  }

const peoplePrepares: Record<string, Prepare> = {
  'GET /v1/accounts/:account': ownPerson(),
  'PUT /v1/accounts/:account/role': ownPerson(),
  'POST /v1/accounts/:account/disable': ownPerson(),
  'POST /v1/accounts/:account/enable': ownPerson(true),
  'POST /v1/accounts/:account/enrolment': ownPerson(),
  'DELETE /v1/accounts/:account/enrolment': ownPerson()
}

/** Makes one try of a route possible, for a caller who may make it. */
export function prepare(route: string, exchange: TestExchange, scene: Scene): Promise<Prepared> {
  return (
    { ...prepares, ...retentionPrepares, ...peoplePrepares }[route]?.(exchange, scene) ??
    Promise.resolve({})
  )
}
