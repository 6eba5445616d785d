import type { OpinionSummary } from '../../schemas/opinion.ts'
import { brainSeries, referralLetter } from '../../test/samples/samples.ts'
import { type ApiClient, addresses, type DemoService } from '../demo-service.ts'
import { chapter, check } from './check.ts'
import type { PostBox } from './post-box.ts'
import {
  ask,
  checkMails,
  day,
  fileAt,
  makeCase,
  openFromMail,
  opine,
  receive,
  recordConsent,
  upload
} from './steps.ts'

const PATIENT = {
  identifier: { system: 'https://fhir.nhs.uk/Id/nhs-number', value: '9990000034' },
  name: 'TEST, Patient Three',
  birthDate: '1979-09-30'
}

/** A knee, two specialists who differ on whether to operate, and a third who is asked because of it. */
export async function kneeDiffers(service: DemoService, mails: PostBox): Promise<void> {
  const { clinician } = service
  const asked = await theCase(service)
  const shareWith = (specialist: string, safeguard?: object) =>
    clinician.json('POST', `/v1/cases/${asked.caseId}/shares`, {
      specialist,
      records: asked.records,
      purpose: 'Second opinion on surgery',
      ...(safeguard && { safeguard })
    })
  const compare = () => clinician.json<OpinionSummary>('GET', `/v1/cases/${asked.caseId}/opinions`)

  chapter('2. A specialist at home would operate')
  await shareWith(service.localId)
  await answer(
    service,
    mails,
    { client: service.local, address: addresses.local },
    'yes',
    'confirms'
  )
  check('one opinion differs from nobody', !(await compare()).differs)

  chapter('3. A specialist in Boston, under an agreement, would not')
  await shareWith(service.specialistId, idta)
  await answer(
    service,
    mails,
    { client: service.specialist, address: addresses.specialist },
    'no',
    'differs'
  )
  const two = await compare()
  check('side by side they differ, on the plan and on the first question', two.differs)
  check('they agree on the diagnosis', !two.diagnosis.differs && two.plan.differs)
  check('a third opinion is suggested', two.hint !== undefined)

  chapter('4. Neither of them sees the other; a third is asked, and would not either')
  const summary = await service.local.send('GET', `/v1/cases/${asked.caseId}/opinions`)
  check(`a specialist asks for the summary: ${summary.status}`, summary.status === 403)
  await shareWith(service.strangerId, idta)
  await answer(
    service,
    mails,
    { client: service.stranger, address: addresses.stranger },
    'no',
    'differs'
  )
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

interface Asked {
  caseId: string
  records: string[]
}

async function theCase(service: DemoService): Promise<Asked> {
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
  return { caseId, records: [scan.id, letter.id] }
}

/** An agreement with the clinic in Boston, with its risk assessment. */
const idta = {
  type: 'idta',
  reference: 'IDTA-2026-014',
  date: day(-30),
  expires: day(335),
  riskAssessment: { id: 'TRA-2026-014', date: day(-31), outcome: 'not-materially-lower' }
}

/** One specialist opens the link in their mail, answers, and hears that it arrived. */
async function answer(
  service: DemoService,
  mails: PostBox,
  who: { client: ApiClient; address: string },
  operate: 'yes' | 'no',
  plan: 'confirms' | 'differs'
): Promise<void> {
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
