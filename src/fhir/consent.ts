import type { Patient } from '../../schemas/case.ts'
import type { ConsentView } from '../../schemas/consent.ts'
import { ids } from '../audit/fhir/codes.ts'
import { consentTexts } from '../consents/texts.ts'
import type { ConsentResource } from './r4.ts'
import { subjectOf } from './service-request.ts'

/** The rules that a consent of each kind answers to (FHIR R4, Consent, invariant ppc-1). */
const rules = {
  'second-opinion': 'Confidentiality of patient information: consent to a second opinion',
  transfer: 'UK GDPR, Article 49(1)(a): explicit consent to a transfer abroad'
} as const

/**
 * A patient's consent as a FHIR R4 Consent. What it permits is in its provision: to whom, of which
 * case, until when. The text that the patient was shown is named by its version and SHA-256.
 */
export function toConsent(
  view: ConsentView,
  patient: Patient,
  organisationId: string
): ConsentResource {
  const { transfer, text, withdrawn } = view
  const shown = consentTexts.find(
    known => known.kind === view.kind && known.version === text.version
  )
  return {
    resourceType: 'Consent',
    id: view.id,
    meta: { lastUpdated: withdrawn?.at ?? view.recordedAt },
    identifier: [{ system: ids.consent, value: view.id }],
    status: view.state === 'given' ? 'active' : 'inactive',
    scope: {
      coding: [
        {
          system: 'http://terminology.hl7.org/CodeSystem/consentscope',
          code: view.kind === 'transfer' ? 'patient-privacy' : 'treatment'
        }
      ]
    },
    category: [{ coding: [{ system: 'http://loinc.org', code: '59284-0' }] }],
    patient: subjectOf(patient),
    dateTime: view.givenAt,
    organization: [
      { type: 'Organization', identifier: { system: ids.organisation, value: organisationId } }
    ],
    policyRule: {
      coding: [
        { system: CONSENT_TEXT_SYSTEM, code: `${view.kind}-${text.version}`, display: text.sha256 }
      ],
      text: shown === undefined ? rules[view.kind] : `${rules[view.kind]}. Shown: ${shown.text}`
    },
    provision: {
      type: 'permit',
      period: {
        start: view.givenAt,
        ...((withdrawn ?? view.expiresAt) && { end: withdrawn?.at ?? view.expiresAt })
      },
      ...(transfer && {
        actor: [
          {
            role: {
              coding: [
                {
                  system: 'http://terminology.hl7.org/CodeSystem/v3-ParticipationType',
                  code: 'IRCP'
                }
              ]
            },
            reference: {
              ...(transfer.specialist !== undefined && {
                identifier: { system: ids.account, value: transfer.specialist }
              }),
              display: `${transfer.recipient} (${transfer.country})`
            }
          }
        ]
      }),
      data: [{ meaning: 'related', reference: { reference: `ServiceRequest/${view.case}` } }]
    }
  }
}

/** Of the versioned texts at /v1/consent-texts; the display is their SHA-256. */
const CONSENT_TEXT_SYSTEM = 'urn:consilium:consent-text'
