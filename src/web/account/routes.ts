import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import { callerOf } from '../../http/area.ts'
import { describeAccount } from '../../identity/accounts.ts'
import { signedOut } from '../../sessions/cookie.ts'
import {
  addOptions,
  addPasskey,
  describeWaysIn,
  isOwn,
  removePasskey,
  renamePasskey,
  renewRecoveryCodes
} from '../../sessions/own-passkeys.ts'
import { browserName } from '../../sessions/passkey-names.ts'
import { endSessions } from '../../sessions/session.ts'
import { formOf } from '../form.ts'
import type { Model } from '../pages.ts'
import type { Web } from '../routes.ts'
import { afterSignOut } from '../signing/elsewhere.ts'
import { EVERYBODY, heldSession } from '../signing/prove.ts'

/** What was just done, of which the page says so. */
const DONE = ['added', 'renamed', 'removed', 'recovered', 'joined', 'accepted']

/** Who one is here, and how one gets in. */
export function ownAccountRoutes(web: Web): FastifyPluginAsync {
  const { exchange, guarded } = web
  const guard = guarded('passkey.list', ...EVERYBODY)
  const change = guarded.proven('passkey.add', ...EVERYBODY)

  return async app => {
    app.get('/account', guard, async (request, reply) => showAccount(web, request, reply))

    app.post('/account/passkeys/options', change, async (request, reply) =>
      reply.header('cache-control', 'no-store').send(await addOptions(exchange, callerOf(request)))
    )
    app.post('/account/passkeys', change, async (request, reply) => {
      const [answer, name] = [formOf(request).text('answer'), formOf(request).text('name')]
      web.pages.onRefusal(request, problems => showAccount(web, request, reply, { problems, name }))
      await addPasskey(exchange, callerOf(request), answer, name)
      return reply.redirect('/account?done=added', 303)
    })
    app.post(
      '/account/passkeys/rename',
      guarded('passkey.rename', ...EVERYBODY),
      async (request, reply) => {
        web.pages.onRefusal(request, problems => showAccount(web, request, reply, { problems }))
        const [id, name] = [formOf(request).text('passkey'), formOf(request).text('name')]
        await renamePasskey(exchange, callerOf(request), id, name)
        return reply.redirect('/account?done=renamed', 303)
      }
    )
    app.post(
      '/account/passkeys/remove',
      guarded.proven('passkey.remove', ...EVERYBODY),
      async (request, reply) => {
        web.pages.onRefusal(request, problems => showAccount(web, request, reply, { problems }))
        await removePasskey(exchange, callerOf(request), formOf(request).text('passkey'))
        return reply.redirect('/account?done=removed', 303)
      }
    )
    app.post(
      '/account/recovery-codes',
      guarded.proven('recovery.make', ...EVERYBODY),
      async (request, reply) => {
        const codes = await renewRecoveryCodes(exchange, callerOf(request))
        return web.pages.show(request, reply, 'signing/codes', { codes, next: '/account' })
      }
    )
    app.post(
      '/account/sign-out-everywhere',
      guarded('session.end', ...EVERYBODY),
      async (request, reply) => {
        const caller = callerOf(request)
        await endSessions(exchange, caller)
        const next = afterSignOut(web, caller)
        return reply.headers(signedOut()).redirect(next, 303)
      }
    )
  }
}

async function showAccount(
  { exchange, pages }: Web,
  request: FastifyRequest,
  reply: FastifyReply,
  model: Model = {}
): Promise<FastifyReply> {
  const caller = callerOf(request)
  const session = heldSession(request)
  const { passkeys, recoveryCodesLeft, sessions, issuers } = await describeWaysIn(exchange, caller)
  const done = String(Object(request.query).done)
  return pages.show(request, reply, 'account/account', {
    account: await describeAccount(exchange, caller.accountId),
    passkeys,
    recoveryCodesLeft,
    issuers,
    sessions: sessions.map(view => ({
      ...view,
      browser: browserName(view.userAgent),
      isThis: isOwn(session, view)
    })),
    suggested: browserName(request.headers['user-agent']),
    done: DONE.includes(done) ? done : undefined,
    ...model
  })
}
