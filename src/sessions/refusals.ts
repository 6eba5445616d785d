/** Refusals of signing in: a part of the one table in `errors.ts`. */
export const sessionRefusals = {
  'session-ended': [401, 'You have been signed out', 'Sign in again.'],
  'cross-site-refused': [
    403,
    'This request came from another site',
    'Open the page here and try again from there.'
  ],
  'proof-needed': [403, 'Show again that it is you', 'Use your passkey once more, then try again.']
} as const
