/** Refusals of the register and of invitations: a part of the one table in `errors.ts`. */
export const registerRefusals = {
  'specialist-unverified': [
    403,
    'Specialist is not verified',
    'An administrator verifies them in the register; then try again.'
  ],
  'specialist-verification-expired': [
    403,
    'Verification of the specialist has run out',
    'An administrator verifies them anew in the register; then try again.'
  ],
  'specialist-entry-not-found': [404, 'No such entry in the register', 'Check its id.'],
  'registration-taken': [
    409,
    'This registration has an entry already',
    'Change that entry instead of making a second one.'
  ],
  'registration-missing': [
    422,
    'Registration is missing',
    'Add professional body and number, then verify.'
  ],
  'register-disagrees': [
    409,
    'The file of the professional body says otherwise',
    'Correct the entry, or import a newer file.'
  ],
  'verification-dates-invalid': [
    422,
    'Verification cannot hold until then',
    'Give a day from today to two years from now.'
  ],
  'if-match-missing': [
    428,
    'Say which version you have changed',
    'Send the ETag of what you read as If-Match.'
  ],
  'if-match-invalid': [400, 'If-Match cannot be read', 'Send the ETag as you got it, in quotes.'],
  'version-changed': [
    412,
    'It was changed in the meantime',
    'Read it again, then repeat what you wanted to change.'
  ],
  'csv-invalid': [
    422,
    'CSV file cannot be read',
    'See what is wrong under problems; what is named as done is done.'
  ],
  'invitation-not-found': [404, 'No such invitation', 'Check its id, or ask for a new link.'],
  'invitation-same-channel': [
    422,
    'Link and code may not take the same way',
    'Pass the code on by telephone, text message, letter or in person.'
  ],
  'invitation-names-patient': [
    422,
    'The message seems to name a patient',
    'Leave out NHS numbers and dates of birth; the case says who it is about.'
  ],
  'invitation-not-needed': [
    409,
    'This specialist is enrolled already',
    'Find them in the register and share with them.'
  ],
  'invitation-address-missing': [
    422,
    'The entry has no e-mail address',
    'Ask an administrator to add it.'
  ],
  'too-many-invitations': [
    429,
    'Too many invitations are open',
    'Withdraw those that are not wanted any more.'
  ],
  'invitation-sent-too-often': [
    409,
    'It was sent too often',
    'Withdraw it, and make sure of the address before you invite again.'
  ],
  'invitation-ended': [409, 'Invitation has ended', 'Invite again if it is still wanted.'],
  'invitation-expired': [410, 'Invitation has run out', 'Ask the sender to send it again.'],
  'invitation-withdrawn': [410, 'Invitation was withdrawn', 'Ask the sender.'],
  'invitation-accepted': [
    410,
    'Invitation was accepted already',
    'If that was not you, tell the sender at once.'
  ],
  'invitation-locked': [
    403,
    'Too many wrong codes',
    'Ask the sender to send it again, with a new code.'
  ],
  'enrolment-code-wrong': [
    403,
    'Enrolment code is wrong',
    'Check it with the sender. After five tries the code is dead.'
  ],
  'identity-refused': [
    422,
    'This identity cannot be bound',
    'Give either a public P-384 key or an access token of a trusted issuer.'
  ],
  'identity-taken': [
    409,
    'This identity has an account already',
    'Sign in with it, or give another.'
  ]
} as const satisfies Record<string, readonly [status: number, title: string, next: string]>
