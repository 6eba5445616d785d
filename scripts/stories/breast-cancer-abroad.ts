import type { RequestWrite } from '../../schemas/request.ts'
import { slideOf } from '../../test/helpers/made-slide.ts'
import { brainSeries, pathologyReport, referralLetter } from '../../test/samples/samples.ts'
import { addresses, type DemoService } from '../demo-service.ts'
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
  report,
  upload
} from './steps.ts'

const PATIENT = {
  identifier: { system: 'https://fhir.nhs.uk/Id/nhs-number', value: '9990000026' },
  name: 'TEST, Patient Two',
  birthDate: '1968-03-14'
}

/**
 * A woman with breast cancer asks for another view before surgery. Her records go to Boston under the
 * rule for a country that is adequate on a condition; the answer confirms, and its receipt comes back.
 */
export async function breastCancerAbroad(service: DemoService, mails: PostBox): Promise<void> {
  const asked = await theCase(service)
  const shareId = await shareAbroad(service, asked)
  const openedId = await readAndAskForTime(service, mails, shareId)
  await answerAndReceive(service, mails, asked.caseId, openedId)
  chapter('7. What the patient may be told, and what no mail says')
  check('the report tells of every disclosure', (await report(service, asked.caseId)) >= 4)
  checkMails(mails, [PATIENT.name, '9990000026', 'breast', 'conservation', 'family history'])
}

interface Asked {
  caseId: string
  records: string[]
}

/** Who asks what, who pays, and what a reviewer needs. */
async function theCase(service: DemoService): Promise<Asked> {
  chapter('1. The case: who asks what, who pays, and what a reviewer needs')
  const caseId = await makeCase(service, PATIENT, 'Is breast conservation safe?')
  await recordConsent(service, caseId)
  const scan = await upload(
    service,
    caseId,
    { kind: 'scan', title: 'MRI before treatment' },
    brainSeries().map(fileAt)
  )
  const slide = { name: 'core.svs', bytes: slideOf([{ width: 40_000, height: 30_000, tile: 256 }]) }
  const slides = await upload(
    service,
    caseId,
    { kind: 'pathology-slide', title: 'Core biopsy, H&E' },
    [slide]
  )
  const pathology = await upload(
    service,
    caseId,
    { kind: 'pathology-report', title: 'Histopathology report' },
    [fileAt(pathologyReport)]
  )
  const letter = await upload(service, caseId, { kind: 'referral', title: 'GP referral' }, [
    fileAt(referralLetter)
  ])
  const records = [scan.id, slides.id, pathology.id, letter.id]
  await ask(service, caseId, requestWith(letter.id), [
    { item: 'imaging', status: 'present', records: [scan.id] },
    { item: 'imaging-report', status: 'not-applicable', reason: 'Read with the scan' },
    { item: 'pathology-report', status: 'present', records: [pathology.id] },
    { item: 'slides-or-blocks', status: 'present', records: [slides.id] },
    { item: 'blood-results', status: 'not-applicable', reason: 'Normal, in the letter' },
    { item: 'treatment-so-far', status: 'present', note: 'None' },
    { item: 'medication', status: 'present', note: 'None; no allergies' },
    { item: 'referral-letter', status: 'present', records: [letter.id] }
  ])
  return { caseId, records }
}

const requestWith = (referralLetter: string): RequestWrite => ({
  conditionGroup: 'cancer',
  condition: { text: 'Invasive ductal carcinoma of the left breast', icd10: 'C50.4' },
  diagnosis: 'Grade 2, ER positive, HER2 negative, 24 mm',
  proposedTreatment: 'Mastectomy with sentinel node biopsy',
  reason: 'She would like to keep the breast',
  urgency: 'soon',
  dueDate: day(10),
  referringClinician: { name: 'Dr Alice Example', organisation: 'City Hospital' },
  referralLetter,
  funding: 'insurer',
  insurance: {
    insurer: 'Example Health',
    policyReference: 'EH-2231',
    authorisation: {
      code: 'AUTH-77120',
      from: day(-5),
      until: day(60),
      covers: ['global-expert-review']
    }
  },
  questions: [
    { text: 'Is conservation as safe as mastectomy here?' },
    { text: 'Would chemotherapy before surgery change that?' },
    { text: 'Is genetic testing advisable?' }
  ]
})

/** The law of the transfer is judged before anything goes. Resolves to the id of the share. */
async function shareAbroad(
  { clinician, specialistId }: DemoService,
  { caseId, records }: Asked
): Promise<string> {
  chapter('2. Boston: the law of the transfer is judged before anything goes')
  const share = {
    specialist: specialistId,
    records,
    purpose: 'Second opinion before surgery',
    lifeHours: 48
  }
  const path = `/v1/cases/${caseId}/shares`
  const bare = await clinician.send('POST', path, share)
  check(`to the US without a basis: ${bare.status}`, bare.status === 422)
  const attestation = {
    type: 'adequacy-condition',
    condition: 'dpf-uk-extension',
    reference: 'Boston Clinic, entry 5512',
    date: day(-1),
    expires: day(360)
  }
  const unmarked = await clinician.send('POST', path, { ...share, safeguard: attestation })
  check(`not marked as sensitive: ${unmarked.status}`, unmarked.status === 422)
  const safeguard = { ...attestation, markedSensitive: true }
  const made = await clinician.json<{ id: string }>('POST', path, { ...share, safeguard })
  return made.id
}

/** She reads, asks something, and for more time. Resolves to the id of the share that replaces it. */
async function readAndAskForTime(
  { clinician, specialist }: DemoService,
  mails: PostBox,
  shareId: string
): Promise<string> {
  chapter('3. The specialist has a mail, opens its link, and reads')
  const { opened } = await openFromMail(mails, specialist, addresses.specialist)
  check('she sees the three questions', opened.request?.questions.length === 3)
  check('and nothing of the insurer', !JSON.stringify(opened).includes('Example Health'))
  await mails.next(addresses.clinician, /has been opened/)

  chapter('4. She asks something, and for more time; the old link dies')
  const messages = `/v1/shares/${shareId}/messages`
  await specialist.json('POST', messages, { text: 'Is there a family history?' })
  await mails.next(addresses.clinician, /a message/)
  await clinician.json('POST', messages, { text: 'A grandmother, at 80.' })
  await mails.next(addresses.specialist, /a message/)
  await specialist.json('POST', `/v1/shares/${shareId}/more-time`, { hours: 96 })
  await mails.next(addresses.clinician, /More time is asked for/)
  await clinician.json('POST', `/v1/shares/${shareId}/more-time/approve`, { lifeHours: 96 })
  const old = await specialist.send('GET', `/v1/shares/${shareId}`)
  check(`the old share: ${old.status}`, old.status === 410)
  const again = await openFromMail(mails, specialist, addresses.specialist, /more time/)
  return again.opened.id
}

/** The opinion, signed, with what was reviewed; then its way back to the team that asked. */
async function answerAndReceive(
  service: DemoService,
  mails: PostBox,
  caseId: string,
  shareId: string
): Promise<void> {
  const { clinician, specialist } = service
  chapter('5. The opinion: every question answered, signed, with what was reviewed')
  const submitted = await opine(specialist, shareId, {
    answers: [
      { number: 1, stance: 'yes', answer: 'With clear margins and radiotherapy, yes.' },
      { number: 2, stance: 'no', answer: 'Not for this size and type.' },
      { number: 3, declined: 'I would leave that to the local genetics service.' }
    ],
    diagnosis: { agreement: 'confirms' },
    plan: { agreement: 'confirms', comment: 'Mastectomy is sound; conservation is an equal.' },
    recommendations: 'Offer both.',
    limits: 'No mammogram was among the records.'
  })
  const whole = submitted.reviewed?.every(
    ({ handedOver }) => handedOver.part + handedOver.none === 0
  )
  check('its manifest says that every file was handed over whole', whole === true)
  const second = await specialist.send('POST', `/v1/shares/${shareId}/opinion/submit`)
  check(`a second submission: ${second.status}`, second.status >= 400)

  chapter('6. It reaches the team that asked, and she knows that it did')
  await receive(service, mails, {
    shareId,
    from: addresses.specialist,
    to: addresses.clinician
  })
  const { state } = await clinician.json<{ state: string }>('GET', `/v1/cases/${caseId}`)
  check('the case has its opinion', state === 'opinion-received')
  await clinician.json('POST', `/v1/cases/${caseId}/close`, {
    reason: 'Discussed with the patient',
    revokeShares: true
  })
  const after = await specialist.send('GET', `/v1/shares/${shareId}`)
  check(`the door is shut: ${after.status}`, after.status === 410)
}
