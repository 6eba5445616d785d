import type { FastifyPluginAsync } from 'fastify'
import type { Web } from '../routes.ts'
import { eraseCase, erasurePage, receiptPage } from './erasure.ts'
import { lift, liftPage, placeHold } from './holds.ts'
import { findCase, findPage, retentionPage } from './retention.ts'

interface OfCase {
  Params: { case: string }
}
interface OfHold {
  Params: { case: string; hold: string }
}
interface OfErasure {
  Params: { erasure: string }
}

/** How long a case is kept, what keeps it longer, and its end. Administrators act; the others look. */
export function retentionPages(web: Web): FastifyPluginAsync {
  const { guarded } = web
  const reading = guarded('retention.read', 'clinician', 'auditor', 'administrator')
  const finding = guarded('retention.read', 'administrator')
  const holding = guarded('hold.create', 'administrator')
  const lifting = guarded('hold.lift', 'administrator')
  // Whoever comes to erase proves who they are before they type anything.
  const erasing = guarded.proven('case.erase', 'administrator')
  const receipt = guarded('erasure.read', 'clinician', 'auditor', 'administrator')
  const of = '/cases/:case'

  return async app => {
    app.get('/administration/retention', finding, (request, reply) => findPage(web, request, reply))
    app.post('/administration/retention', finding, (request, reply) =>
      findCase(web, request, reply)
    )
    app.get<OfCase>(`${of}/retention`, reading, (request, reply) =>
      retentionPage(web, request, reply)
    )
    app.post<OfCase>(`${of}/holds`, holding, (request, reply) => placeHold(web, request, reply))
    app.get<OfHold>(`${of}/holds/:hold/lift`, lifting, (request, reply) =>
      liftPage(web, request, reply)
    )
    app.post<OfHold>(`${of}/holds/:hold/lift`, lifting, (request, reply) =>
      lift(web, request, reply)
    )
    app.get<OfCase>(`${of}/erasure`, erasing, (request, reply) => erasurePage(web, request, reply))
    app.post<OfCase>(`${of}/erasure`, erasing, (request, reply) => eraseCase(web, request, reply))
    app.get<OfErasure>('/erasures/:erasure', receipt, (request, reply) =>
      receiptPage(web, request, reply)
    )
  }
}
