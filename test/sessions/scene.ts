import type { PersonName, TestExchange } from '../helpers/exchange.ts'

/** Asks and sends as a browser does in which nobody is signed in, without following where it leads. */
export function stranger(exchange: TestExchange, headers: Record<string, string> = {}) {
  const own = { accept: 'text/html', 'sec-fetch-site': 'same-origin', ...headers }
  const ask = async (path: string, init: RequestInit = {}) => {
    const answer = await fetch(exchange.url + path, {
      redirect: 'manual',
      ...init,
      headers: { ...own, ...(init.headers as Record<string, string>) }
    })
    return { status: answer.status, headers: answer.headers, text: await answer.text() }
  }
  return {
    get: (path: string) => ask(path),
    post: (path: string, fields: Record<string, string> = {}, more: Record<string, string> = {}) =>
      ask(path, { method: 'POST', body: new URLSearchParams(fields), headers: more })
  }
}

type Browser = Pick<ReturnType<typeof stranger>, 'post'>

/** What a browser is told to ask its authenticators. */
export async function optionsFrom(browser: Browser, path: string) {
  const { status, text } = await browser.post(path, {}, { accept: '*/*' })
  if (status !== 200) throw new Error(`There are no options: ${status} ${text}`)
  return JSON.parse(text)
}

/** The options that a page carries in its form. */
export function optionsIn(text: string) {
  const [, found = ''] = /data-options="([^"]+)"/.exec(text) ?? []
  return JSON.parse(
    found.replaceAll('&quot;', '"').replaceAll('&#39;', "'").replaceAll('&amp;', '&')
  )
}

/** The cookie that an answer sets, as a browser sends it. */
export function cookieOf({ headers }: { headers: Headers }): string {
  return String(headers.get('set-cookie')).split(';')[0] ?? ''
}

const trace = { requestId: 'test', method: 'POST', route: '/people', address: '127.0.0.1' }

/** Somebody of the roster, as a flow is called by them. */
export function callerAs({ people }: TestExchange, who: PersonName) {
  const { accountId, organisationId } = people[who]
  const role = who === 'administrator' ? 'administrator' : 'clinician'
  const known = { issuer: 'embedded', subject: accountId, clientId: 'pages', scope: '' } as const
  return {
    accountId,
    organisationId,
    role,
    country: 'GB',
    ...known,
    assurance: 'passkey',
    trace
  } as const
}
