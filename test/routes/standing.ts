import { createCase, type TestExchange } from '../helpers/exchange.ts'
import { readyCase, tagOf } from '../helpers/request.ts'

/** What a route needs that can be had once only: a case that stands where it may start from. */
export interface Prepared {
  caseId?: string
  headers?: Record<string, string>
}

type Prepare = (exchange: TestExchange, caseId: string) => Promise<Prepared>

const prepares: Record<string, Prepare> = {
  // A case whose request is written is shared only when it is complete: not that of the scene.
  'PUT /v1/cases/:case/request': async exchange => ({
    caseId: (await createCase(exchange.client('clinician'))).id,
    headers: { 'if-match': '"0"' }
  }),
  'PUT /v1/cases/:case/checklist': async (exchange, caseId) => ({
    headers: { 'if-match': await tagOf(exchange.client('clinician'), caseId, 'checklist') }
  }),
  'POST /v1/cases/:case/complete': async exchange =>
    readyCase(exchange.client('clinician'), exchange.clock.now()),
  'POST /v1/cases/:case/close': async exchange => ({
    caseId: (await createCase(exchange.client('clinician'))).id
  }),
  'POST /v1/cases/:case/reopen': async exchange => {
    const clinician = exchange.client('clinician')
    const { id: caseId } = await createCase(clinician)
    await clinician.json('POST', `/v1/cases/${caseId}/close`, { reason: 'Sent elsewhere' })
    return { caseId }
  }
}

/** Makes one try of a route possible, for a caller who may make it. */
export function prepare(route: string, exchange: TestExchange, caseId: string): Promise<Prepared> {
  return prepares[route]?.(exchange, caseId) ?? Promise.resolve({})
}
