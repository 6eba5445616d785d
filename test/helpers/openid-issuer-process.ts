import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'
import { type ClientMetadata, type InteractionResults, Provider } from 'oidc-provider'

// The issuer of a hospital, in a process of its own: `PORT`, and `CLIENTS` as JSON, from the environment.

const { PORT = '', CLIENTS = '[]' } = process.env
const issuer = `http://127.0.0.1:${PORT}`
const clients: ClientMetadata[] = JSON.parse(CLIENTS)

const provider = new Provider(issuer, {
  clients,
  acrValues: ['mfa', 'pwd'],
  cookies: { keys: ['a key of a test'] },
  claims: { openid: ['sub', 'oid'], email: ['email'] },
  // As Entra ID has it: one id for us alone, and one for everybody.
  conformIdTokenClaims: false,
  pkce: { required: () => true },
  features: {
    devInteractions: { enabled: false },
    rpInitiatedLogout: {
      enabled: true,
      logoutSource(ctx, form) {
        ctx.body = `<!DOCTYPE html><title>City</title>${form}<button type="submit" form="op.logoutForm" name="logout" value="yes">Sign out</button>`
      }
    }
  },
  interactions: { url: (_ctx, { uid }) => `/interaction/${uid}` },
  findAccount: (_ctx, id) => ({
    accountId: id,
    // Two people may well have the same address, one after the other.
    claims: () => ({ sub: id, oid: `oid-of-${id}`, email: 'somebody@city.example' })
  }),
  async loadExistingGrant({ oidc }) {
    const grant = new oidc.provider.Grant({
      clientId: oidc.client?.clientId ?? '',
      accountId: oidc.session?.accountId ?? ''
    })
    grant.addOIDCScope('openid email')
    await grant.save()
    return grant
  }
})
// What goes wrong here is the test's to find out.
provider.on('server_error', (_ctx, err) => console.error(err))

const callback = provider.callback()

/** One page: a form with a name, and how strongly one signs in. */
async function interact(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { prompt } = await provider.interactionDetails(request, response)
  if (request.method !== 'POST') {
    response.setHeader('content-type', 'text/html')
    response.end(
      `<!DOCTYPE html><html lang="en"><title>City</title><h1>${prompt.name}</h1><form method="post"><label>Name <input name="name"></label><input name="acr" value="mfa" type="hidden"><button>Sign in</button></form></html>`
    )
    return
  }
  const form = new URLSearchParams(await text(request))
  const name = form.get('name') ?? ''
  const result: InteractionResults =
    name === ''
      ? { error: 'access_denied', error_description: 'They went away.' }
      : { login: { accountId: name, acr: form.get('acr') ?? 'pwd', remember: true } }
  await provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false })
}

createServer((request, response) => {
  const work = request.url?.startsWith('/interaction/')
    ? interact(request, response)
    : callback(request, response)
  Promise.resolve(work).catch(err => {
    console.error(err)
    response.statusCode = 500
    response.end()
  })
}).listen(Number(PORT), '127.0.0.1')
