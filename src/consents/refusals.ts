/** Refusals of patients' consents: a part of the one table in `errors.ts`. */
export const consentRefusals = {
  'consent-not-found': [404, 'No such consent', 'Check the id; it must be of the same case.'],
  'consent-text-unknown': [
    422,
    'No such text for patients',
    'Show the patient a text of /v1/consent-texts and send its version and sha256.'
  ],
  'consent-incomplete': [422, 'The consent is not complete', 'See under problems what is missing.'],
  'consent-date-invalid': [
    422,
    'The dates of the consent are not possible',
    'It is given by now, after consent was last withdrawn, and its last day is not over.'
  ],
  'consent-ended': [409, 'Consent was withdrawn before', 'Nothing needs to be done.'],
  'consent-missing': [
    422,
    'The patient’s consent is missing',
    'Ask the patient, record the consent with the case, then share.'
  ],
  'consent-withdrawn': [
    422,
    'The patient has withdrawn consent',
    'Share nothing, unless the patient agrees anew and that is recorded.'
  ],
  'consent-expired': [
    422,
    'The patient’s consent has run out',
    'Ask the patient, record the consent with the case, then share.'
  ],
  'consent-unfit': [
    422,
    'The consent does not cover this share',
    'See under problems why not; ask the patient for what is missing.'
  ]
} as const satisfies Record<string, readonly [status: number, title: string, next: string]>
