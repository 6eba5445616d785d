import multipart from '@fastify/multipart'
import type { FastifyPluginAsync } from 'fastify'
import { callerOf } from '../../http/area.ts'
import { readinessOf } from '../../http/readiness.ts'
import { requireOperator } from '../../identity/operator.ts'
import { IMPORT_LIMITS } from '../../register/import.ts'
import type { Web } from '../routes.ts'
import { addOrganisationPage, organisationsPage } from './organisations.ts'
import { overviewPage, policyPage } from './overview.ts'
import {
  endVerification,
  entryPage,
  importPage,
  type OfSpecialist,
  registerPage,
  verifyEntry
} from './register.ts'
import { confirmPage, endEveryPage, endEveryShare, sharesPage, withdrawChosen } from './shares.ts'

/** What an administrator works with. None of it shows clinical content. */
export function administrationPages(web: Web): FastifyPluginAsync {
  const { guarded, exchange } = web
  const readiness = readinessOf(exchange, { leaving: false })
  const listing = guarded('share.list', 'administrator')
  const revoking = guarded('share.revoke', 'administrator')

  return async app => {
    app.get('/administration', listing, (request, reply) =>
      overviewPage(web, readiness, request, reply)
    )
    app.get('/administration/policy', guarded('account.read', 'administrator'), (request, reply) =>
      policyPage(web, request, reply)
    )
    app.get('/administration/shares', listing, (request, reply) => sharesPage(web, request, reply))
    app.post('/administration/shares/chosen', revoking, (request, reply) =>
      confirmPage(web, request, reply)
    )
    app.post('/administration/shares/withdraw', revoking, (request, reply) =>
      withdrawChosen(web, request, reply)
    )
    app.get('/administration/shares/every', listing, (request, reply) =>
      endEveryPage(web, request, reply)
    )
    app.post('/administration/shares/every', revoking, (request, reply) =>
      endEveryShare(web, request, reply)
    )
    app.get(
      '/administration/organisations',
      guarded('organisation.list', 'administrator'),
      (request, reply) => organisationsPage(web, request, reply)
    )
    app.post(
      '/administration/organisations',
      guarded.proven('organisation.create', 'administrator'),
      (request, reply) => addOrganisationPage(web, request, reply)
    )
    await app.register(registerPages(web))
    await app.register(importPages(web))
  }
}

function registerPages(web: Web): FastifyPluginAsync {
  const { guarded } = web
  const of = '/administration/register/:specialist'
  const listing = guarded('specialist.list', 'administrator')
  return async app => {
    app.get('/administration/register', listing, (request, reply) =>
      registerPage(web, request, reply)
    )
    app.post('/administration/register', listing, (request, reply) =>
      registerPage(web, request, reply)
    )
    app.get(of, guarded('specialist.read', 'administrator'), (request: OfSpecialist, reply) =>
      entryPage(web, request, reply)
    )
    app.post(
      `${of}/verify`,
      guarded.proven('specialist.verify', 'administrator'),
      (request: OfSpecialist, reply) => verifyEntry(web, request, reply)
    )
    app.post(
      `${of}/end`,
      guarded('specialist.expire', 'administrator'),
      (request: OfSpecialist, reply) => endVerification(web, request, reply)
    )
  }
}

/** In a scope of its own, because no other page takes a file this way. */
function importPages(web: Web): FastifyPluginAsync {
  const importing = web.guarded.proven('specialist.import', 'administrator')
  return async app => {
    // A form cuts a file off without a word. A byte more than there may be, and the import refuses it.
    const fileSize = IMPORT_LIMITS.bytesMax + 1
    await app.register(multipart, { limits: { fileSize, files: 1, fields: 4, fieldSize: 100 } })
    app.get('/administration/register/import', importing, async (request, reply) => {
      await requireOperator(web.exchange.database.read, callerOf(request))
      return web.pages.show(request, reply, 'administration/import')
    })
    app.post('/administration/register/import', importing, (request, reply) =>
      importPage(web, request, reply)
    )
  }
}
