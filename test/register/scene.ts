import type { SpecialistInput, SpecialistView } from '../../schemas/specialist.ts'
import type { Answer, TestExchange } from '../helpers/exchange.ts'

/** An entry as an administrator types it. */
export function entryInput(change: Partial<SpecialistInput> = {}): SpecialistInput {
  return {
    name: 'Prof Ines Turnstone',
    country: 'US',
    organisation: 'Boston Clinic',
    specialty: 'Neurosurgery',
    languages: ['en-US'],
    professionalBody: 'NPI',
    registrationSystem: 'http://hl7.org/fhir/sid/us-npi',
    registrationNumber: '1234567893',
    ...change
  }
}

/** An act on an entry, in the version it is in now unless another is given. */
export async function change(
  exchange: TestExchange,
  id: string,
  act: { method?: string; path?: string; body: object; version?: number }
): Promise<Answer> {
  const administrator = exchange.client('administrator')
  const { method = 'POST', path = '', body, version } = act
  const { headers } = await administrator.send('GET', `/v1/specialists/${id}`)
  const etag = version === undefined ? String(headers.get('etag')) : `"${version}"`
  return administrator.send(method, `/v1/specialists/${id}${path}`, body, { 'if-match': etag })
}

export const verify = (exchange: TestExchange, id: string, until?: string): Promise<Answer> =>
  change(exchange, id, {
    path: '/verify',
    body: { evidence: 'Register of the board, file 7', ...(until && { until }) }
  })

export const expire = (exchange: TestExchange, id: string): Promise<Answer> =>
  change(exchange, id, { path: '/expire', body: { reason: 'Asked to be taken off' } })

export async function readEntry(exchange: TestExchange, id: string): Promise<SpecialistView> {
  return await exchange.client('administrator').json('GET', `/v1/specialists/${id}`)
}
