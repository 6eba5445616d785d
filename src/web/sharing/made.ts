import type { FastifyReply, FastifyRequest } from 'fastify'
import type { NoticeView } from '../../../schemas/notice.ts'
import { callerOf } from '../../http/area.ts'
import { readEmailAddress } from '../../identity/email-address.ts'
import { contactOf } from '../../identity/people.ts'
import { listNotices } from '../../notices/read.ts'
import { readSent } from '../../shares/read-sent.ts'
import type { Web } from '../routes.ts'
import { noOnceCookie, toldOnce } from './once.ts'
import { showShare } from './show-share.ts'

export type OfShare = { share: string }
export type SharePage = FastifyRequest<{ Params: OfShare }>

/** After sharing: the link, this once, as text and as a picture, and what was mailed. */
export async function linkPage({ exchange, pages }: Web, request: SharePage, reply: FastifyReply) {
  const caller = callerOf(request)
  const { share: id } = request.params
  const share = await readSent(exchange, caller, id)
  const link = toldOnce(request, id)
  const { notices, mail } = await listNotices(exchange, caller, { share: id })
  const isMailed = notices.some(isOnItsWay) && (await hasAddress(exchange, share.specialist))
  return pages.show(request, reply.header('set-cookie', noOnceCookie()), 'sharing/made', {
    share: showShare(pages.texts, share, exchange.clock()),
    link,
    picture: link === undefined ? undefined : await pictureOf(link),
    sendsMail: mail === 'configured',
    mail: isMailed && mail === 'configured' ? 'mailed' : 'not-mailed'
  })
}

/** Whether a notice carries the link, and has arrived or may yet. */
const isOnItsWay = ({ kind, state }: NoticeView): boolean =>
  (kind === 'share-created' || kind === 'more-time-given') &&
  (state === 'waiting' || state === 'sending' || state === 'sent')

/** Nobody can be mailed without an address, which the notice finds out only when its turn comes. */
async function hasAddress({ database, serviceKeys }: Web['exchange'], accountId: string) {
  const { email } = (await contactOf(database.read, serviceKeys, accountId)) ?? {}
  return email !== undefined && readEmailAddress(email) !== undefined
}

/** A QR code as an address of its own: nothing is fetched for it, and no page has to trust its markup. */
async function pictureOf(text: string): Promise<string> {
  const { default: QRCode } = await import('qrcode')
  const svg = await QRCode.toString(text, { type: 'svg', errorCorrectionLevel: 'L' })
  return `data:image/svg+xml;base64,${Buffer.from(svg).toString('base64')}`
}
