import type { ConsentKind, ConsentRecord, ConsentView } from '../../schemas/consent.ts'
import type { Safeguard } from '../../schemas/transfer.ts'
import { consentTexts } from '../../src/consents/texts.ts'
import type { Answer, Client } from './client.ts'

const shown = (kind: ConsentKind) => {
  const { version, sha256 } = consentTexts.findLast(text => text.kind === kind) ?? {}
  if (version === undefined || sha256 === undefined) throw new Error(`There is no text: ${kind}.`)
  return { version, sha256 }
}

/** A consent of the patient to the second opinion, given a minute ago. */
export function agreed(now: number, change: Partial<ConsentRecord> = {}): ConsentRecord {
  return {
    kind: 'second-opinion',
    text: shown('second-opinion'),
    givenBy: { who: 'patient' },
    takenBy: 'Dr Alice Kestrel, consultant neurosurgeon',
    how: 'in-writing',
    givenAt: new Date(now - 60_000).toISOString(),
    ...change
  }
}

/** A consent to a transfer to this country, for records of the kind that tests upload. */
export function agreedToTransfer(
  now: number,
  country: string,
  change: Partial<NonNullable<ConsentRecord['transfer']>> = {}
): ConsentRecord {
  return agreed(now, {
    kind: 'transfer',
    text: shown('transfer'),
    transfer: {
      recipient: 'The specialist whom my clinician has named',
      country,
      why: 'For a second opinion before surgery',
      dataTypes: ['other'],
      rightToWithdraw: true,
      risks: 'No authority there hears complaints of patients from abroad.',
      ...change
    }
  })
}

export function sendConsent(client: Client, caseId: string, consent: object): Promise<Answer> {
  return client.send('POST', `/v1/cases/${caseId}/consents`, consent)
}

/** Records a consent and expects it to be taken. */
export function recordConsent(
  client: Client,
  caseId: string,
  consent: ConsentRecord
): Promise<ConsentView> {
  return client.json('POST', `/v1/cases/${caseId}/consents`, consent)
}

export function sendWithdrawal(client: Client, caseId: string, id: string): Promise<Answer> {
  const reason = 'She would rather not'
  return client.send('POST', `/v1/cases/${caseId}/consents/${id}/withdraw`, { reason })
}

/** The exception that rests on a consent, named by a public authority that has asked. */
export function byConsent(consent: string): Safeguard {
  return {
    type: 'explicit-consent',
    consent,
    publicAuthority: { reason: 'A private patient of the trust', dpoReference: 'DPO-2026-31' }
  }
}

/** The exception for an emergency, approved today. */
export function emergency(now: number, change: Partial<Safeguard> = {}): Safeguard {
  const day = (offset: number) => new Date(now + offset * 86_400_000).toISOString().slice(0, 10)
  return {
    type: 'vital-interests',
    date: day(0),
    expires: day(7),
    incapacity: 'physical',
    reason: 'She is unconscious, and surgery cannot wait',
    approver: { name: 'Dr Olive Crake', post: 'Caldicott Guardian' },
    ...change
  }
}
