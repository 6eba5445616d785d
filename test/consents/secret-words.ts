import {
  agreed,
  agreedToTransfer,
  byConsent,
  emergency,
  recordConsent,
  sendConsent
} from '../helpers/consent.ts'
import {
  createCase,
  numberedText,
  openShare,
  shareRecords,
  type TestExchange,
  uploadRecord
} from '../helpers/exchange.ts'

/** What people type into consents and safeguards. The auditors read the second part of it. */
const sealedWords = {
  'representative of a patient': 'Corvina Rook',
  'right of a representative': 'Power of attorney of Michaelmas',
  'who took a consent': 'Sister Jo Waxwing',
  'evidence of a consent': 'Form in the goldeneye folder',
  'recipient of a transfer': 'The clinic of the bulbul',
  'reason of a transfer': 'Nobody nearer has seen such a crake',
  'risks of a transfer': 'Courts there have no ear for swifts',
  'reason of a patient': 'Her sister the fieldfare advised against it'
}
const onTheLog = {
  approver: 'Dr Olive Ptarmigan',
  'what is at stake': 'The capercaillie cannot wait',
  'view of the data protection officer': 'DPO-LAPWING-8',
  'reason of a public authority': 'A private bittern of the trust',
  'end of an agreement': 'The smew has left the treaty'
}
export const wordsOfConsent = { ...sealedWords, ...onTheLog }

/** Consents given, refused, used and taken back; an emergency; an agreement that is ended. */
export async function agreeAndWithdraw(exchange: TestExchange): Promise<void> {
  const clinician = exchange.client('clinician')
  const now = exchange.clock.now()
  const { id: caseId } = await createCase(clinician)
  const { id } = await uploadRecord(clinician, caseId, { files: [numberedText(10)] })
  const words = wordsOfConsent
  const consent = agreed(now, {
    givenBy: {
      who: 'representative',
      name: words['representative of a patient'],
      capacity: words['right of a representative']
    },
    takenBy: words['who took a consent'],
    evidence: words['evidence of a consent']
  })
  await recordConsent(clinician, caseId, consent)
  await sendConsent(clinician, caseId, { ...consent, [consent.takenBy]: consent.evidence })
  await sendConsent(clinician, caseId, { ...consent, givenAt: '2099-01-01T00:00:00Z' })
  const told = await recordConsent(
    clinician,
    caseId,
    agreedToTransfer(now, 'US', {
      recipient: words['recipient of a transfer'],
      why: words['reason of a transfer'],
      risks: words['risks of a transfer']
    })
  )
  const publicAuthority = {
    reason: words['reason of a public authority'],
    dpoReference: words['view of the data protection officer']
  }
  const vital = emergency(now, {
    reason: words['what is at stake'],
    approver: { name: words.approver, post: 'Caldicott Guardian' }
  })
  for (const safeguard of [{ ...byConsent(told.id), publicAuthority }, vital]) {
    const share = await shareRecords(exchange, caseId, [id], { with: 'specialistUs', safeguard })
    await openShare(exchange.client('specialistUs'), share.link)
  }
  const reason = words['reason of a patient']
  await clinician.json('POST', `/v1/cases/${caseId}/consents/${told.id}/withdraw`, { reason })
  await clinician.json('GET', `/v1/cases/${caseId}/consents`)
  const ended = { type: 'idta', reference: 'IDTA-0', reason: words['end of an agreement'] }
  await clinician.json('POST', '/v1/safeguards/withdraw', ended)
}

/** Whether auditors read it: what a share rests on, and why an agreement ended. */
export const isOnTheLog = (label: string): boolean => label in onTheLog
