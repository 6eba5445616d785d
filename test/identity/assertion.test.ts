import t from 'tap'
import { assertionProblem } from '../../src/identity/assertion.ts'

const NOW = 1_800_000_000
const ISSUER = 'https://exchange.example/oidc'
const AUDIENCES = new Set([ISSUER, `${ISSUER}/token`])
const GOOD = { exp: NOW + 300, iat: NOW, aud: ISSUER }

const check = (changes: Record<string, unknown>) =>
  assertionProblem({ ...GOOD, ...changes }, AUDIENCES, NOW)

t.test('what is allowed', async t => {
  t.equal(check({}), undefined, 'five minutes')
  t.equal(check({ aud: `${ISSUER}/token` }), undefined, 'for the token endpoint')
  t.equal(check({ aud: [ISSUER, `${ISSUER}/token`] }), undefined, 'for both')
  t.equal(check({ iat: undefined }), undefined, 'without iat')
  t.equal(check({ exp: NOW - 4, iat: NOW - 100 }), undefined, 'a clock four seconds behind')
  t.equal(check({ exp: NOW + 305, iat: NOW + 5 }), undefined, 'a clock five seconds ahead')
})

t.test('what is refused', async t => {
  const refused: Record<string, Record<string, unknown>> = {
    'no expiry': { exp: undefined },
    'expiry as text': { exp: String(NOW + 60) },
    'expiry within a second': { exp: NOW + 60.5 },
    expired: { exp: NOW - 5, iat: NOW - 100 },
    'more than five minutes away': { exp: NOW + 306, iat: undefined },
    'lives more than five minutes': { exp: NOW + 200, iat: NOW - 101 },
    'issued in the future': { iat: NOW + 6, exp: NOW + 60 },
    'issued at a text': { iat: 'now' },
    'not valid yet': { nbf: NOW + 6 },
    'without audience': { aud: undefined },
    'for nobody': { aud: [] },
    'for another server': { aud: 'https://other.example/token' },
    'for another server as well': { aud: [ISSUER, 'https://other.example/token'] },
    'for an address that begins the same': { aud: `${ISSUER}/token/` }
  }
  for (const [name, changes] of Object.entries(refused)) {
    t.type(check(changes), 'string', name)
  }
})
