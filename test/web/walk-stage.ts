import { randomUUID } from 'node:crypto'
import type { Test } from 'tap'
import { addStaff } from '../../src/identity/staff.ts'
import {
  createCase,
  openShare,
  sampleFile,
  shareRecords,
  startExchange,
  type TestExchange,
  uploadRecord
} from '../helpers/exchange.ts'
import { madeScan, SOMEBODY_ELSE } from '../helpers/made-dicom.ts'
import { CLIENT_SECRET, issuerSettings } from '../helpers/openid-issuer.ts'
import { scriptedIssuer } from '../helpers/scripted-issuer.ts'
import { signedIn } from '../helpers/signed-in.ts'
import { giveOpinion, putDraft, underReview, wholeOpinion } from '../opinions/scene.ts'
import { entryInput, invite } from '../register/scene.ts'
import { erase } from '../retention/stage.ts'
import { brainSeries, letter, pathologyReport, referralLetter } from '../samples/samples.ts'
import { PERSON } from '../sessions/issuer-scene.ts'
import { callerAs } from '../sessions/scene.ts'

export type Stage = Awaited<ReturnType<typeof setStage>>

/** One service in which everything has happened once, so that every page has something to show. */
export async function setStage(t: Test) {
  const exchange = await startExchange(t, { env: await issuersOf(t) })
  const clinician = exchange.client('clinician')
  const carol = exchange.client('specialistGb')
  const { caseId, letterId, share } = await underReview(exchange)
  const shared = (change: Parameters<typeof shareRecords>[3] = {}) =>
    shareRecords(exchange, caseId, [letterId], change)
  const opened = async (change: Parameters<typeof shareRecords>[3] = {}) => {
    const made = await shared(change)
    await openShare(exchange.client(change.with ?? 'specialistGb'), made.link)
    return made
  }
  await carol.send('GET', `/v1/shares/${share.id}/records/${letterId}/content`)
  await carol.json('POST', `/v1/shares/${share.id}/messages`, { text: 'Is there an MRI?' })
  await putDraft(carol, share.id, wholeOpinion())
  const asked = await opened()
  const words = 'The slides came late'
  await carol.json('POST', `/v1/shares/${asked.id}/more-time`, { hours: 96, words })
  const answered = await opened()
  await giveOpinion(carol, answered.id)
  await carol.json('POST', `/v1/shares/${answered.id}/opinion/addenda`, {
    text: 'The scan agrees.'
  })
  const differing = await opened({ with: 'specialistIe' })
  const differs = wholeOpinion({ diagnosis: { agreement: 'differs' } })
  await giveOpinion(exchange.client('specialistIe'), differing.id, differs)
  const withdrawn = await opened()
  await clinician.json('DELETE', `/v1/shares/${withdrawn.id}`)
  const unopened = await shared()

  const { id: fresh } = await createCase(clinician)
  const letters = await uploadRecord(clinician, fresh, {
    kind: 'letter',
    title: 'Letters of the referring hospital, from the first visit to the last',
    files: [sampleFile(pathologyReport), sampleFile(letter), sampleFile(referralLetter)]
  })
  await uploadRecord(clinician, fresh, {
    kind: 'scan',
    title: 'MRI of the head',
    files: brainSeries().slice(1, 4).map(sampleFile)
  })
  const doubtful = await uploadRecord(clinician, fresh, {
    kind: 'scan',
    title: 'CT of the head',
    files: [{ name: 'ct.dcm', bytes: madeScan(SOMEBODY_ELSE) }]
  })
  const typed = { kind: 'letter', title: 'Discharge letter', date: '2026-11-02' }
  const draft = await clinician.json<{ id: string }>('POST', `/v1/cases/${fresh}/drafts`, typed)
  const { id: closed } = await createCase(clinician)
  await clinician.json('POST', `/v1/cases/${closed}/close`, { reason: 'Moved elsewhere' })
  const sentPdf = await shareRecords(exchange, fresh, [letters.id], {
    overrideReason: 'Urgent: tonight'
  })
  await openShare(carol, sentPdf.link)

  const { invitation } = await invite(exchange)
  const { invitation: recalled } = await invite(exchange, { name: 'Dr Piet Knot' })
  await (await signedIn(exchange, 'clinician')).post(
    `/specialists/invitations/${recalled.id}/withdraw`
  )
  const entry = await exchange
    .client('administrator')
    .json<{ id: string }>('POST', '/v1/specialists', entryInput())
  const { specialists } = await clinician.json<{ specialists: { id: string; name: string }[] }>(
    'GET',
    '/v1/specialists?limit=200'
  )
  const specialistNamed = (name: string) =>
    String(specialists.find(specialist => specialist.name === name)?.id)
  const events = await exchange.auditEvents({ action: 'content.read' })
  const kept = await keepAndErase(exchange)
  const newcomer = await addStaff(exchange.exchange, callerAs(exchange, 'administrator'), PERSON)
  const question = { name: 'Refusals of this week', period: 'week', outcome: 'refused' }
  await (await signedIn(exchange, 'auditor')).post('/log/questions', question)
  await exchange.exchange.tree.settle()
  return {
    exchange,
    ...kept,
    links: { unopened: unopened.link },
    code: newcomer.code,
    /** What stands in addresses, by the name that routes have for it. */
    ids: {
      case: caseId,
      record: letterId,
      share: share.id,
      specialist: specialistNamed('Dr Carol Goldcrest'),
      kind: 'second-opinion',
      object: 'none',
      draft: draft.id,
      event: String(events[0]?.id),
      enrolment: String(randomUUID()),
      invitation: invitation.id,
      account: exchange.people.colleague.accountId,
      issuer: 'city',
      hold: 'none',
      erasure: 'none'
    },
    newcomer: { account: newcomer.accountId, enrolment: newcomer.id },
    recalled: { invitation: recalled.id },
    fresh: { case: fresh, record: letters.id, object: String(letters.objects[0]?.id) },
    doubtful: { case: fresh, record: doubtful.id },
    text: { case: fresh, record: letters.id, object: String(letters.objects[1]?.id) },
    closed: { case: closed },
    asked: { share: asked.id },
    answered: { share: answered.id },
    withdrawn: { share: withdrawn.id },
    unopened: { share: unopened.id },
    sentPdf: { share: sentPdf.id, record: letters.id, object: String(letters.objects[0]?.id) },
    dan: { specialist: specialistNamed('Dr Dan Whimbrel') },
    asha: { specialist: specialistNamed('Dr Asha Bulbul') },
    entry: { specialist: entry.id }
  }
}

/** Two hospitals at which people sign in, one of which does not answer. */
async function issuersOf(t: Test): Promise<Record<string, string>> {
  const { url, habits } = await scriptedIssuer(t, CLIENT_SECRET)
  habits.metadata = { end_session_endpoint: `${url}/end` }
  return issuerSettings(t, [
    { name: 'city', issuer: url, label: 'your City Hospital account' },
    { name: 'valley', issuer: 'http://127.0.0.1:1' }
  ])
}

/** A case under one hold, after another was lifted, and one that was erased. */
async function keepAndErase(exchange: TestExchange) {
  const [clinician, administrator] = [
    exchange.client('clinician'),
    exchange.client('administrator')
  ]
  const { id: held } = await createCase(clinician)
  const holds = `/v1/cases/${held}/holds`
  const hold = (reason: string) => administrator.json<{ id: string }>('POST', holds, { reason })
  const settled = await hold('A claim of the family, letter of 2 May')
  await administrator.json('POST', `${holds}/${settled.id}/lift`, { reason: 'It was settled' })
  const standing = await hold('Inquest of 3 May, letter of the coroner')
  const { id: erased } = await createCase(clinician)
  await uploadRecord(clinician, erased, { files: [sampleFile(letter)] })
  const erasure = await erase(exchange, erased)
  return {
    held: { case: held, hold: standing.id },
    erased: { case: erased, erasure: erasure.id }
  }
}
