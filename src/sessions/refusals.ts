/** Refusals of signing in: a part of the one table in `errors.ts`. */
export const sessionRefusals = {
  'session-ended': [401, 'You have been signed out', 'Sign in again.'],
  'cross-site-refused': [
    403,
    'This request came from another site',
    'Open the page here and try again from there.'
  ],
  'proof-needed': [403, 'Show again that it is you', 'Use your passkey once more, then try again.'],
  'ceremony-ended': [
    403,
    'That took too long, or was used before',
    'Begin again. You have a few minutes each time.'
  ],
  'passkey-refused': [
    403,
    'This passkey was not accepted',
    'Try again with a passkey that you made here, or use a recovery code.'
  ],
  'passkey-copied': [
    403,
    'This passkey seems to have been copied',
    'Use another passkey or a recovery code, remove this one, and tell your administrator.'
  ],
  'passkey-taken': [409, 'This passkey is here already', 'Sign in with it, or make another.'],
  'passkey-not-found': [404, 'No such passkey', 'Look at the list on your account page.'],
  'passkey-last': [
    409,
    'This is your last way in',
    'Add another passkey or make recovery codes first.'
  ],
  'too-many-passkeys': [409, 'Too many passkeys', 'Remove one that is not needed any more.'],
  'enrolment-code-refused': [
    403,
    'This code is wrong, or not good any more',
    'Check it with who gave it to you. After five tries, 72 hours or one use, ask for a new one.'
  ],
  'enrolment-not-needed': [
    409,
    'There is an administrator already',
    'Ask them to enrol you, or sign in.'
  ],
  'recovery-code-refused': [
    403,
    'This recovery code is wrong or was used',
    'Try another of your codes, or ask your administrator for a new enrolment code.'
  ],
  'issuer-not-found': [404, 'No such way to sign in', 'Go to the sign-in page.'],
  'issuer-unavailable': [
    503,
    'The other sign-in does not answer',
    'Try again in a few minutes, or use your passkey.'
  ],
  'issuer-declined': [
    403,
    'The other sign-in did not let you through',
    'Begin again, and sign in there to the end.'
  ],
  'issuer-answer-refused': [
    403,
    'The answer of the other sign-in was not accepted',
    'Begin again from the sign-in page, in the browser in which you go on.'
  ],
  'assurance-refused': [
    403,
    'You signed in too weakly there',
    'Begin again, and sign in there with a smartcard, a security key or a second factor.'
  ],
  'proof-refused': [
    403,
    'You were not asked again who you are',
    'Sign out there, then try again, or use your passkey.'
  ],
  'identity-other': [
    403,
    'You signed in there as somebody else',
    'Begin again, and sign in there as yourself.'
  ],
  'operator-only': [
    403,
    'Your organisation does not run this exchange',
    'Ask an administrator of the organisation that runs it.'
  ],
  'organisation-not-found': [404, 'No such organisation', 'Check the organisation id.'],
  'enrolment-not-found': [
    404,
    'There is no code to withdraw',
    'Nothing needs to be done: it was used, withdrawn or has expired.'
  ],
  'role-fixed': [
    409,
    'A specialist stays a specialist',
    'Add another account for what else they do here, or for them as a specialist.'
  ],
  'account-own': [409, 'This is your own account', 'Ask another administrator to do it.']
} as const
