/** Refusals of transfers abroad: a part of the one table in `errors.ts`. */
export const transferRefusals = {
  'transfer-safeguard-required': [
    422,
    'A transfer safeguard is needed for this country',
    'Add safeguard; which types fit is in the section "Sharing abroad" of docs/api.md.'
  ],
  'transfer-safeguard-incomplete': [
    422,
    'The safeguard is not complete',
    'See under problems what its type needs.'
  ],
  'transfer-safeguard-expired': [
    422,
    'The transfer safeguard has expired',
    'Renew it, then share again.'
  ],
  'transfer-safeguard-unfit': [
    422,
    'This safeguard does not fit this transfer',
    'See under problems why not.'
  ],
  'transfer-safeguard-withdrawn': [
    422,
    'This safeguard was withdrawn',
    'Agree a new one with the recipient and name that.'
  ],
  'transfer-risk-too-high': [
    422,
    'The risk assessment speaks against this transfer',
    'Take measures that lower the risk, assess again, then share.'
  ],
  'transfer-public-authority': [
    422,
    'Explicit consent is hardly open to a public authority',
    'Ask the data protection officer; if it is open, say why in safeguard.publicAuthority.'
  ],
  'transfer-not-allowed': [
    403,
    'The basis for this transfer no longer holds',
    'Ask the sender to share again.'
  ]
} as const satisfies Record<string, readonly [status: number, title: string, next: string]>
