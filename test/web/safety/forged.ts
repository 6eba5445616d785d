/** What a browser says of that which a page of somebody else takes in. */
export const PARTS = [
  ['same-site', 'image'],
  ['cross-site', 'iframe']
] as const

/** What a browser says of a form that a page of somebody else sent, or says not at all. */
export const FORGED: Record<string, Record<string, string>> = {
  'from another site': { 'sec-fetch-site': 'cross-site' },
  'from another host of the same site': { 'sec-fetch-site': 'same-site' },
  'as if it was typed': { 'sec-fetch-site': 'none' },
  'from nowhere known': { 'sec-fetch-site': 'unheard-of' },
  'by an old browser, from another site': { origin: 'https://evil.example' },
  'by an old browser, from our name in clear': { origin: 'http://localhost' },
  'by an old browser, from a sandbox': { origin: 'null' },
  'from who says nothing': {}
}

/** What a form can be sent as without being asked about first. */
export const TYPES = [
  'application/x-www-form-urlencoded',
  'text/plain',
  'multipart/form-data; boundary=x'
]
