import t from 'tap'
import { freshPostgres, hasPostgres } from '../helpers/databases.ts'
import { startExchange } from '../helpers/exchange.ts'
import { signedIn } from '../helpers/signed-in.ts'
import { optionsFrom, stranger } from '../sessions/scene.ts'

const ASSERTION = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

t.test('text that PostgreSQL cannot hold is refused, and is no fault of the service', async t => {
  if (!hasPostgres(t)) return
  // Given a service on PostgreSQL, a browser that is signed in, and one that is not
  const { url } = await freshPostgres()
  const exchange = await startExchange(t, { env: { DATABASE_URL: url } })
  const clinician = await signedIn(exchange, 'clinician')
  const anybody = stranger(exchange)
  const { challenge } = await optionsFrom(anybody, '/sign-in/options')
  const clientDataJSON = Buffer.from(JSON.stringify({ challenge })).toString('base64url')
  const answer = JSON.stringify({ id: '\0', response: { clientDataJSON } })
  const encoded = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const claims = { iss: '\0', sub: '\0', aud: 'x', jti: 'x' }
  const client_assertion = `${encoded({ alg: 'ES384' })}.${encoded(claims)}.AAAA`
  const token = (fields: Record<string, string>) =>
    anybody.post('/oidc/token', { grant_type: 'client_credentials', ...fields })
  // When they send a NUL in an address, in a form, as a passkey and as a client
  const answers = {
    address: await clinician.get('/shares/%00'),
    form: await clinician.post('/account/passkeys/rename', { passkey: '\0', name: 'x' }),
    'address of a stranger': await anybody.post('/enrol/%00', { code: '00000-00000' }),
    passkey: await anybody.post('/sign-in', { answer }),
    client: await token({ client_id: '\0', client_secret: 'x' }),
    assertion: await token({ client_assertion_type: ASSERTION, client_assertion })
  }
  // Then each is refused
  for (const [what, { status }] of Object.entries(answers)) {
    t.ok(status >= 400 && status < 500, `${what}: ${status}`)
  }
  t.match(await exchange.auditEvents({ code: 'request-invalid' }), [{}, {}, {}, {}])
})
