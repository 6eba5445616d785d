import type { FastifyReply } from 'fastify'
import { usesOfShare } from '../../audit/report/of-share.ts'
import { transferText } from '../../audit/report/wording.ts'
import { callerOf } from '../../http/area.ts'
import { listMessages, writeMessage } from '../../opinions/messages.ts'
import { listRecords } from '../../records/read.ts'
import { revokeShare } from '../../shares/manage.ts'
import { declineMoreTime, giveMoreTime } from '../../shares/more-time/answer.ts'
import { listAsks } from '../../shares/more-time/ask.ts'
import { readSent } from '../../shares/read-sent.ts'
import { formOf, requireNoProblem, wholeNumber } from '../form.ts'
import type { Web } from '../routes.ts'
import { earlyEnds, nearestEnd } from './ends.ts'
import { historyOf } from './history.ts'
import type { SharePage } from './made.ts'
import { onceCookie } from './once.ts'
import { showShare } from './show-share.ts'
import { lifeText } from './terms.ts'
import { inPlainWords } from './words.ts'

const GIVEN_HOURS = [24, 72, 168, 336, 720]
/** Offered first when the specialist did not say how long. */
const USUAL_HOURS = 168
const TEXT_CHARACTERS_MAX = 10_000
const REASON_CHARACTERS_MAX = 1000

/** One share: how it stands, what became of it, and what was written about it. */
export async function sharePage(
  web: Web,
  request: SharePage,
  reply: FastifyReply,
  model: { typed?: Record<string, string>; problems?: { text: string }[] } = {}
): Promise<FastifyReply> {
  const { exchange, pages } = web
  const { texts: t } = pages
  const caller = callerOf(request)
  const { share: id } = request.params
  const share = await readSent(exchange, caller, id)
  const { requests } = await listAsks(exchange, caller, id)
  const { messages } = await listMessages(exchange, caller, id, {})
  const { records } = await listRecords(exchange, caller, share.case)
  const uses = await usesOfShare(exchange, caller, id)
  const hours = GIVEN_HOURS.filter(n => n <= exchange.limits.shareHoursMax)
  const waiting = requests.find(({ state }) => state === 'waiting')
  return pages.show(request, reply, 'sharing/share', {
    share: showShare(t, share, exchange.clock()),
    nearest: nearestEnd(t, share),
    earlyEnds: earlyEnds(t, {
      hasConsent: share.consent?.recorded === true,
      transfer: share.transfer
    }),
    basis: share.transfer && transferText(share.transfer),
    records: records.filter(record => share.records.includes(record.id)),
    waiting,
    wantedLife: waiting?.hours === undefined ? undefined : lifeText(web, waiting.hours),
    mayExtend: waiting === undefined && share.state !== 'revoked' && isUnanswered(share),
    usualHours: String(hours.find(n => n >= (waiting?.hours ?? USUAL_HOURS)) ?? hours.at(-1)),
    history: historyOf(t, share, requests, uses),
    messages: messages.toReversed(),
    hours: hours.map(n => ({ value: String(n), text: lifeText(web, n) })),
    typed: {},
    ...model
  })
}

const isUnanswered = ({ turnaround }: Awaited<ReturnType<typeof readSent>>) =>
  turnaround.answeredAt === undefined

/** Asks once more before a share ends for good. */
export async function endPage(web: Web, request: SharePage, reply: FastifyReply) {
  const { exchange, pages } = web
  const share = await readSent(exchange, callerOf(request), request.params.share)
  return pages.show(request, reply, 'sharing/end', {
    share: showShare(pages.texts, share, exchange.clock())
  })
}

/** Ends it. The reason is for the access log; the specialist is told that it has ended. */
export async function endShare(web: Web, request: SharePage, reply: FastifyReply) {
  const { exchange, pages } = web
  const caller = callerOf(request)
  const { share: id } = request.params
  const reason = formOf(request).text('reason')
  pages.onRefusal(request, (problems, refusal) =>
    sharePage(web, request, reply, {
      problems: inPlainWords(pages.texts, { problems, refusal })
    })
  )
  requireNoProblem(
    reason.length > REASON_CHARACTERS_MAX ? [pages.texts('sharing.message-long')] : []
  )
  await revokeShare(exchange, caller, id, reason === '' ? undefined : reason)
  return reply.redirect(`/shares/${id}`, 303)
}

/** Writes to the specialist. */
export async function sendMessage(web: Web, request: SharePage, reply: FastifyReply) {
  const { exchange, pages } = web
  const { texts: t } = pages
  const message = formOf(request).text('message')
  pages.onRefusal(request, problems =>
    sharePage(web, request, reply, { typed: { message }, problems })
  )
  const { share: id } = request.params
  requireNoProblem(message === '' ? [t('common.message-missing')] : [])
  requireNoProblem(message.length > TEXT_CHARACTERS_MAX ? [t('sharing.message-long')] : [])
  await writeMessage(exchange, callerOf(request), id, message)
  return reply.redirect(`/shares/${id}#messages`, 303)
}

/** Gives more time: a new share with a new link takes the place of this one. */
export async function giveTime(web: Web, request: SharePage, reply: FastifyReply) {
  const { exchange, pages } = web
  pages.onRefusal(request, (problems, refusal) =>
    sharePage(web, request, reply, { problems: inPlainWords(pages.texts, { problems, refusal }) })
  )
  const hours = wholeNumber(formOf(request).text('hours'), exchange.limits.shareHoursMax)
  if (hours === undefined) requireNoProblem([pages.texts('sharing.hours-missing')])
  const isUnasked = formOf(request).text('unasked') !== ''
  const wanted = { lifeHours: hours ?? 1, ...(isUnasked && { unasked: true }) }
  const made = await giveMoreTime(exchange, callerOf(request), request.params.share, wanted)
  return reply
    .header('set-cookie', onceCookie(made.id, made.link))
    .redirect(`/shares/${made.id}/link`, 303)
}

/** Declines to, with a reason that the specialist reads. */
export async function declineTime(web: Web, request: SharePage, reply: FastifyReply) {
  const { exchange, pages } = web
  const { texts: t } = pages
  const reason = formOf(request).text('reason')
  pages.onRefusal(request, problems =>
    sharePage(web, request, reply, { typed: { reason }, problems })
  )
  requireNoProblem(reason === '' ? [t('sharing.reason-missing')] : [])
  requireNoProblem(reason.length > REASON_CHARACTERS_MAX ? [t('sharing.message-long')] : [])
  const { share: id } = request.params
  await declineMoreTime(exchange, callerOf(request), id, { reason })
  return reply.redirect(`/shares/${id}`, 303)
}
