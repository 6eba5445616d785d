import { randomUUID } from 'node:crypto'
import type { Test } from 'tap'
import {
  createCase,
  openShare,
  sampleFile,
  shareRecords,
  startExchange,
  uploadRecord
} from '../helpers/exchange.ts'
import { madeScan, SOMEBODY_ELSE } from '../helpers/made-dicom.ts'
import { giveOpinion, putDraft, underReview, wholeOpinion } from '../opinions/scene.ts'
import { entryInput, invite } from '../register/scene.ts'
import { brainSeries, letter, pathologyReport, referralLetter } from '../samples/samples.ts'

export type Stage = Awaited<ReturnType<typeof setStage>>

/** One service in which everything has happened once, so that every page has something to show. */
export async function setStage(t: Test) {
  const exchange = await startExchange(t)
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
  await exchange.exchange.tree.settle()
  return {
    exchange,
    links: { unopened: unopened.link },
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
      enrolment: randomUUID(),
      invitation: invitation.id,
      account: exchange.people.colleague.accountId
    },
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
