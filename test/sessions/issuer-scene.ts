import { addStaff } from '../../src/identity/staff.ts'
import type { TestExchange } from '../helpers/exchange.ts'
import { browserAtIssuer, type SignsIn } from '../helpers/openid-issuer.ts'
import { callerAs, stranger } from './scene.ts'

export const PERSON = {
  role: 'clinician',
  name: 'Dr Wren Whinchat',
  professionalBody: 'GMC',
  registrationNumber: '1234567'
}

/** Somebody at the pages, with the cookies of this site. */
export function visitor(exchange: TestExchange) {
  const cookies = new Map<string, string>()
  const keep = <A extends { headers: Headers }>(answer: A): A => {
    for (const line of answer.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
      if (value === '') cookies.delete(name)
      else cookies.set(name, value)
    }
    return answer
  }
  const now = () =>
    stranger(exchange, { cookie: [...cookies].map(([n, v]) => `${n}=${v}`).join('; ') })
  return {
    cookies,
    get: async (path: string) => keep(await now().get(path)),
    post: async (path: string, fields: Record<string, string> = {}) =>
      keep(await now().post(path, fields))
  }
}

export type Visitor = ReturnType<typeof visitor>

/** Goes out by this path, signs in there, and resolves to the path by which they come back. */
export async function goAndSignIn(
  visitor: Visitor,
  who: SignsIn,
  path = '/sign-in/with/city',
  there = browserAtIssuer()
): Promise<string> {
  const out = await visitor.get(path)
  if (out.status !== 303) throw new Error(`Not sent on: ${out.status} ${out.text}`)
  return there.signIn(String(out.headers.get('location')), who)
}

/** The address of the button that leads to an issuer. */
export function hrefIn(text: string): string {
  const [, href = ''] = /href="(https?:\/\/127[^"]+)"/.exec(text) ?? []
  return href.replaceAll('&amp;', '&')
}

/** Somebody whom an administrator added, and who joined with the account they have there. */
export async function joined(exchange: TestExchange, name: string, person = PERSON) {
  const { id, code } = await addStaff(
    exchange.exchange,
    callerAs(exchange, 'administrator'),
    person
  )
  const here = visitor(exchange)
  const chosen = await here.post(`/enrol/${id}`, { code })
  const back = await browserAtIssuer().signIn(hrefIn(chosen.text), { name })
  return { id, code, here, chosen, back }
}
