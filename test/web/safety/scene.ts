import { randomUUID } from 'node:crypto'
import { addAccount, addClient } from '../../../src/identity/enrol.ts'
import { agreed, recordConsent } from '../../helpers/consent.ts'
import {
  createCase,
  NHS_NUMBER,
  NHS_SYSTEM,
  numberedText,
  openShare,
  type PersonName,
  sampleFile,
  shareRecords,
  type TestExchange,
  uploadRecord
} from '../../helpers/exchange.ts'
import type { Intruder } from '../../helpers/intruder.ts'
import { madeScan } from '../../helpers/made-dicom.ts'
import {
  answersBy,
  dayFrom,
  wholeRequest,
  writeAnswers,
  writeRequest
} from '../../helpers/request.ts'
import { signedIn } from '../../helpers/signed-in.ts'
import { attestation } from '../../helpers/story.ts'
import { giveOpinion, putDraft, wholeOpinion } from '../../opinions/scene.ts'
import { entryInput, invite, verify } from '../../register/scene.ts'
import { pathologyReport } from '../../samples/samples.ts'
import { beginUpload, sendPatch } from '../../uploads/tus.ts'

/** What would run, were it ever taken for markup: closes an attribute of either kind, and a script. */
export const PROBE = `'"></script><img src=x onerror=alert(1)>`

export const ROLES = {
  clinician: 'clinician',
  specialist: 'specialistGb',
  auditor: 'auditor',
  administrator: 'administrator'
} as const satisfies Record<string, PersonName>
export type RoleName = keyof typeof ROLES

/** The issuer at which people may sign in, where one is set; its label is hostile then. */
export const ISSUER = 'city'

/** How pages answer that are not shown here, and why. Every other is shown with 200. */
export const NOT_SHOWN: Record<string, number> = {
  // They lead on: to where somebody's work is, or to who signs them in.
  '/': 303,
  '/sign-in': 303,
  '/sign-in/with/:issuer': 303,
  // Everybody here signed in with a passkey, so no issuer can prove who they are.
  '/prove/elsewhere': 404,
  // Nobody was sent to the issuer from whom they come.
  '/sign-in/from/:issuer': 403
}

/** The values of the parameters of every page, in a place where all that people wrote is hostile. */
export interface HostileScene {
  /** Headers of a browser that lies. */
  headers: Record<string, string>
  /** The address of a page, of objects that it can show. */
  pathOf(url: string): string
}

/**
 * City Hospital with hostile names: of itself, its people, the patient, titles, files, tags of scans,
 * and whatever else is written in a case that was shared twice: one opinion came back, one is a draft.
 */
export async function setHostileScene(
  exchange: TestExchange,
  intruder: Intruder
): Promise<HostileScene> {
  // The service itself may not rename an organisation.
  await intruder.run('UPDATE organisations SET name = ?', `Trust ${PROBE}`)
  for (const [n, who] of Object.values(ROLES).entries()) await renew(exchange, who, n)
  await exchange.exchange.database.write(async tx => {
    const verifiedUntil = exchange.clock.now() + 20 * 365 * 86_400_000
    await tx.update(tx.tables.specialists).set({ verifiedUntil })
  })
  const { caseId, records, draftId } = await hostileCase(exchange)
  const specialist = exchange.client('specialistGb')
  const share = async () => {
    const made = await shareRecords(exchange, caseId, records, { purpose: PROBE })
    await openShare(specialist, made.link)
    return made.id
  }
  const [open, answered, declined] = [await share(), await share(), await share()]
  for (const id of [open, answered]) {
    for (const who of ['specialistGb', 'clinician'] as const)
      await exchange.client(who).json('POST', `/v1/shares/${id}/messages`, { text: PROBE })
  }
  await specialist.json('POST', `/v1/shares/${open}/more-time`, { words: PROBE })
  await putDraft(specialist, open, hostileOpinion())
  await giveOpinion(specialist, answered, hostileOpinion())
  await specialist.json('POST', `/v1/shares/${answered}/opinion/addenda`, { text: PROBE })
  await specialist.json('POST', `/v1/shares/${declined}/decline`, { reason: PROBE })
  await endedShares(exchange, caseId, records)
  const { id: closed } = await createCase(exchange.client('clinician'), '9990000026')
  await exchange.client('clinician').json('POST', `/v1/cases/${closed}/close`, { reason: PROBE })
  const retention = await hostileRetention(exchange, caseId)
  const { invitation } = await invite(exchange, {
    name: PROBE,
    organisation: PROBE,
    specialty: PROBE
  })
  const input = entryInput({ name: PROBE, organisation: PROBE, specialty: PROBE })
  const entry = await exchange
    .client('administrator')
    .json<{ id: string }>('POST', '/v1/specialists', input)
  await verify(exchange, entry.id)
  const [event] = await exchange.auditEvents({ action: 'case.create', caseId })
  const known = await entryOf(exchange)
  const [file] = await objectsOf(exchange, records[0] ?? '')
  const values: Record<string, string> = {
    account: exchange.people.colleague.accountId,
    case: caseId,
    draft: draftId,
    enrolment: randomUUID(),
    erasure: retention.erasureId,
    event: String(event?.id),
    hold: retention.holdId,
    invitation: invitation.id,
    issuer: ISSUER,
    kind: 'second-opinion',
    number: '1',
    object: String(file),
    question: await savedQuestion(exchange),
    record: String(records[0]),
    share: open,
    specialist: known
  }
  const others: [RegExp, Record<string, string>][] = [
    [/opinion\/(content|addenda\/:number)|opinions\/:share/, { share: answered }],
    // A case under a hold is not erased.
    [/reopen|case\/erasure/, { case: closed }],
    [/^\/administration\/register/, { specialist: entry.id }]
  ]
  return {
    headers: { 'user-agent': PROBE, 'x-forwarded-for': PROBE, 'accept-language': PROBE },
    pathOf(url) {
      const own = others.find(([pattern]) => pattern.test(url))?.[1]
      const path = url.replaceAll(
        /:(\w+)/g,
        (_, name: string) => own?.[name] ?? values[name] ?? name
      )
      return `${path}${QUERIES[url] ?? ''}`
    }
  }
}

/** One that was withdrawn, one whose time was not lengthened, and one that rests on a hostile safeguard. */
async function endedShares(exchange: TestExchange, caseId: string, records: string[]) {
  const clinician = exchange.client('clinician')
  const specialist = exchange.client('specialistGb')
  const share = (change: Parameters<typeof shareRecords>[3]) =>
    shareRecords(exchange, caseId, records, { purpose: PROBE, ...change })
  const abroad = attestation(exchange.clock.now(), { reference: PROBE })
  await share({ with: 'specialistUs', safeguard: abroad })
  const withdrawn = await share({})
  const ended = { shares: [withdrawn.id], reason: PROBE }
  await clinician.json('POST', '/v1/shares/revoke', ended)
  const { id, link } = await share({})
  await openShare(specialist, link)
  await specialist.json('POST', `/v1/shares/${id}/more-time`, { words: PROBE })
  await clinician.json('POST', `/v1/shares/${id}/more-time/decline`, { reason: PROBE })
}

/** What a page needs in its query. */
const QUERIES: Record<string, string> = { '/log/integrity/growth': '?from=1' }

/** A hold on the case, one that was lifted, and another case that was erased. */
async function hostileRetention(exchange: TestExchange, caseId: string) {
  const administrator = exchange.client('administrator')
  const give = (path: string) =>
    administrator.json<{ id: string }>('POST', `/v1/cases/${path}`, { reason: PROBE })
  const { id: lifted } = await give(`${caseId}/holds`)
  await give(`${caseId}/holds/${lifted}/lift`)
  const { id: holdId } = await give(`${caseId}/holds`)
  const { id: other } = await createCase(exchange.client('clinician'), '9990000034')
  const { id: erasureId } = await give(`${other}/erasure`)
  return { holdId, erasureId }
}

/** A question that the auditor saved, which only pages can do. */
async function savedQuestion(exchange: TestExchange): Promise<string> {
  const auditor = await signedIn(exchange, ROLES.auditor)
  await auditor.post('/log/questions', { name: PROBE, period: 'week' })
  const { read } = exchange.exchange.database
  const [question] = await read.select().from(read.tables.savedQuestions)
  return String(question?.id)
}

/** Somebody else of a hostile name takes the place of one of the roster. */
async function renew(exchange: TestExchange, who: PersonName, n: number): Promise<void> {
  const person = exchange.people[who]
  const role = Object.entries(ROLES).find(([, name]) => name === who)?.[0] ?? ''
  const accountId = await addAccount(exchange.exchange, {
    role,
    name: `${PROBE} ${who}`,
    organisation: person.organisationId,
    ...(['clinician', 'specialist'].includes(role) && {
      professionalBody: 'GMC',
      registrationNumber: `765430${n}`
    })
  })
  const key = await addClient(exchange.exchange, { accountId })
  Object.assign(person, { accountId, key, name: `${PROBE} ${who}` })
}

async function hostileCase(exchange: TestExchange) {
  const clinician = exchange.client('clinician')
  const now = exchange.clock.now()
  const { id: caseId } = await clinician.json<{ id: string }>('POST', '/v1/cases', {
    patient: {
      identifier: { system: NHS_SYSTEM, value: NHS_NUMBER },
      name: PROBE,
      birthDate: '1951-03-17'
    },
    question: PROBE
  })
  const scan = madeScan({
    name: PROBE,
    id: '9990000042',
    issuer: 'NHS',
    description: PROBE,
    otherIds: PROBE
  })
  const files = [
    { name: `${PROBE}.pdf`, bytes: sampleFile(pathologyReport).bytes },
    { name: `${PROBE}.dcm`, bytes: scan },
    { name: `${PROBE}.txt`, bytes: numberedText(100).bytes }
  ]
  const records = []
  for (const [n, file] of files.entries()) {
    const kind = ['pathology-report', 'scan', 'letter'][n] ?? 'other'
    const input = { kind, title: PROBE, date: dayFrom(now, -3), files: [file] }
    records.push((await uploadRecord(clinician, caseId, input)).id)
  }
  await writeRequest(clinician, caseId, hostileRequest(now))
  await writeAnswers(clinician, caseId, [
    ...answersBy(records[2] ?? '').filter(({ item }) => item !== 'treatment-so-far'),
    { item: 'treatment-so-far', status: 'present', note: PROBE }
  ])
  const givenBy = { who: 'representative', name: PROBE, capacity: PROBE } as const
  const consent = agreed(now, { takenBy: PROBE, givenBy, evidence: PROBE })
  const { id: before } = await recordConsent(clinician, caseId, consent)
  const withdraw = `/v1/cases/${caseId}/consents/${before}/withdraw`
  await clinician.json('POST', withdraw, { reason: PROBE })
  const anew = new Date(exchange.clock.now()).toISOString()
  await recordConsent(clinician, caseId, { ...consent, givenAt: anew })
  await clinician.json('POST', `/v1/records/${records[1]}/patient-confirmation`, {
    reason: `Known to be hers: ${PROBE}`
  })
  await clinician.json('POST', `/v1/cases/${caseId}/complete`)
  const { id: draftId } = await clinician.json<{ id: string }>(
    'POST',
    `/v1/cases/${caseId}/drafts`,
    { kind: 'scan', title: PROBE, date: dayFrom(now, -3) }
  )
  const upload = await beginUpload(clinician, 10, { draft: draftId, filename: `${PROBE}.txt` })
  await sendPatch(clinician, upload, 0, Buffer.from('01234'))
  return { caseId, records, draftId }
}

const hostileRequest = (now: number) =>
  wholeRequest(now, {
    condition: { text: PROBE },
    diagnosis: PROBE,
    proposedTreatment: PROBE,
    reason: PROBE,
    questions: [{ text: PROBE }, { text: PROBE }],
    referringClinician: { name: PROBE, organisation: PROBE }
  })

const hostileOpinion = () =>
  wholeOpinion({
    answers: [
      { number: 1, stance: 'yes', answer: PROBE },
      { number: 2, declined: PROBE }
    ],
    plan: { agreement: 'refines', comment: PROBE },
    recommendations: PROBE,
    furtherTests: PROBE,
    limits: PROBE
  })

async function entryOf({ exchange, people }: TestExchange): Promise<string> {
  const { read } = exchange.database
  const rows = await read.select().from(read.tables.specialists)
  return String(rows.find(row => row.accountId === people.specialistGb.accountId)?.id)
}

async function objectsOf(exchange: TestExchange, record: string): Promise<string[]> {
  const { objects } = await exchange
    .client('clinician')
    .json<{ objects: { id: string }[] }>('GET', `/v1/records/${record}`)
  return objects.map(({ id }) => id)
}
