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
  const { id: closed } = await createCase(exchange.client('clinician'), '9990000026')
  await exchange.client('clinician').json('POST', `/v1/cases/${closed}/close`, { reason: PROBE })
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
    event: String(event?.id),
    invitation: invitation.id,
    kind: 'second-opinion',
    number: '1',
    object: String(file),
    record: String(records[0]),
    share: open,
    specialist: known
  }
  const others: [RegExp, Record<string, string>][] = [
    [/opinion\/(content|addenda\/:number)|opinions\/:share/, { share: answered }],
    [/reopen/, { case: closed }],
    [/^\/administration\/register/, { specialist: entry.id }]
  ]
  return {
    headers: { 'user-agent': PROBE, 'x-forwarded-for': PROBE, 'accept-language': PROBE },
    pathOf(url) {
      const own = others.find(([pattern]) => pattern.test(url))?.[1]
      return url.replaceAll(/:(\w+)/g, (_, name: string) => own?.[name] ?? values[name] ?? name)
    }
  }
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
  await recordConsent(clinician, caseId, agreed(now, { takenBy: PROBE }))
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
