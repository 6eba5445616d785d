import { readFileSync } from 'node:fs'
import { basename } from 'node:path'
import type { OpinionSummary } from '../../schemas/opinion.ts'
import { brainSeries, referralLetter } from '../../test/samples/samples.ts'
import { type ApiClient, addresses, type DemoService } from '../demo-service.ts'
import { chapter, check } from './check.ts'
import type { PostBox } from './post-box.ts'
import {
  ask,
  checkMails,
  day,
  makeCase,
  openFromMail,
  opine,
  receive,
  recordConsent,
  type SentFile,
  upload
} from './steps.ts'

const PATIENT = {
  identifier: { system: 'https://fhir.nhs.uk/Id/nhs-number', value: '9990000034' },
  name: 'TEST, Patient Three',
  birthDate: '1979-09-30'
}

const fileAt = (path: string): SentFile => ({ name: basename(path), bytes: readFileSync(path) })

/** A knee, two specialists who differ on whether to operate, and a third who is asked because of it. */
export async function kneeDiffers(service: DemoService, mails: PostBox): Promise<void> {
  const { clinician } = service
  chapter('1. The case')
  const caseId = await makeCase(service, PATIENT, 'Should this knee be operated on?')
  await recordConsent(service, caseId)
  const scan = await upload(
    service,
    caseId,
    { kind: 'scan', title: 'MRI of the knee' },
    brainSeries().map(fileAt)
  )
  const letter = await upload(service, caseId, { kind: 'referral', title: 'GP referral' }, [
    fileAt(referralLetter)
  ])
  await ask(
    service,
    caseId,
    {
      conditionGroup: 'musculoskeletal',
      condition: { text: 'Degenerative tear of the medial meniscus' },
      diagnosis: 'Tear of the posterior horn',
      proposedTreatment: 'Arthroscopic partial meniscectomy',
      reason: 'Two surgeons have said different things',
      urgency: 'routine',
      dueDate: day(21),
      referringClinician: { name: 'Dr Alice Example', organisation: 'City Hospital' },
      referralLetter: letter.id,
      funding: 'nhs',
      questions: [{ text: 'Operate?' }, { text: 'Is physiotherapy alone enough?' }]
    },
    [
      { item: 'imaging', status: 'present', records: [scan.id] },
      { item: 'imaging-report', status: 'not-applicable', reason: 'Read with the scan' },
      { item: 'treatment-so-far', status: 'present', note: 'Six weeks of exercises' },
      { item: 'medication', status: 'present', note: 'None' },
      { item: 'referral-letter', status: 'present', records: [letter.id] }
    ]
  )

  const idta = {
    type: 'idta',
    reference: 'IDTA-2026-014',
    date: day(-30),
    expires: day(335),
    riskAssessment: { id: 'TRA-2026-014', date: day(-31), outcome: 'not-materially-lower' }
  }
  const shareWith = (specialist: string, safeguard?: object) =>
    clinician.json<{ id: string }>('POST', `/v1/cases/${caseId}/shares`, {
      specialist,
      records: [scan.id, letter.id],
      purpose: 'Second opinion on surgery',
      ...(safeguard && { safeguard })
    })
  const answer = async (
    who: { client: ApiClient; address: string },
    operate: 'yes' | 'no',
    plan: 'confirms' | 'differs'
  ) => {
    const { opened } = await openFromMail(mails, who.client, who.address)
    await opine(who.client, opened.id, {
      answers: [
        { number: 1, stance: operate, answer: operate === 'yes' ? 'I would.' : 'I would not.' },
        { number: 2, stance: operate === 'yes' ? 'no' : 'yes', answer: 'See the first answer.' }
      ],
      diagnosis: { agreement: 'confirms' },
      plan: { agreement: plan },
      limits: 'I have not examined the knee.'
    })
    await receive(service, mails, {
      shareId: opened.id,
      from: who.address,
      to: addresses.clinician
    })
  }
  const compare = () => clinician.json<OpinionSummary>('GET', `/v1/cases/${caseId}/opinions`)

  chapter('2. A specialist at home would operate')
  await shareWith(service.localId)
  await answer({ client: service.local, address: addresses.local }, 'yes', 'confirms')
  check('one opinion differs from nobody', !(await compare()).differs)

  chapter('3. A specialist in Boston, under an agreement, would not')
  await shareWith(service.specialistId, idta)
  await answer({ client: service.specialist, address: addresses.specialist }, 'no', 'differs')
  const two = await compare()
  check('side by side they differ, on the plan and on the first question', two.differs)
  check('they agree on the diagnosis', !two.diagnosis.differs && two.plan.differs)
  check('a third opinion is suggested', two.hint !== undefined)

  chapter('4. Neither of them sees the other; a third is asked, and would not either')
  const summary = await service.local.send('GET', `/v1/cases/${caseId}/opinions`)
  check(`a specialist asks for the summary: ${summary.status}`, summary.status === 403)
  await shareWith(service.strangerId, idta)
  await answer({ client: service.stranger, address: addresses.stranger }, 'no', 'differs')
  const three = await compare()
  check(
    'three opinions lie side by side',
    three.shares.every(({ state }) => state === 'submitted')
  )
  check(
    'each question has three answers',
    three.questions.every(q => q.answers.length === 3)
  )

  chapter('5. What no mail says')
  checkMails(mails, [PATIENT.name, '9990000034', 'knee', 'meniscus', 'Operate'])
}
