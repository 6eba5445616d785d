import type { FastifyReply } from 'fastify'
import type { Disclosure, Ending } from '../audit/disclosures.ts'
import type { Exchange } from '../exchange.ts'
import type { Principal } from '../identity/principal.ts'

/** Content on its way out. */
export interface Delivery {
  caller: Principal
  status: 200 | 206
  headers: Record<string, string>
  disclosure: Disclosure
  /** The next piece; it may be reused by the pull after the next. Undefined at the end. */
  pull(): Promise<Buffer | undefined>
  close(): Promise<void>
  /** Asked again and again while the stream runs: the reason to cut it, if there is one. */
  mustEnd(): Promise<Ending | undefined>
}

/**
 * Streams content to the client and writes the second event of its disclosure. The first piece is
 * made before the status line leaves, so what cannot be opened is a clean refusal. A later failure
 * cuts the connection: the client sees that the content is short, and never wrong bytes.
 */
export async function deliver(
  exchange: Exchange,
  reply: FastifyReply,
  delivery: Delivery
): Promise<void> {
  const { disclosure } = delivery
  const raw = reply.raw
  const wanted = Number(delivery.headers['content-length'])
  let ending: Ending | undefined
  let bytes = 0
  let taken = 0
  // The client may have gone before this, and then the event does not come again.
  const closed = raw.destroyed
    ? Promise.resolve()
    : new Promise<void>(resolve => raw.once('close', resolve))
  const cut = (why: Ending) => {
    ending ??= why
    raw.destroy()
  }
  let place: { leave(): void } | undefined
  try {
    place = await exchange.streams.enter(delivery.caller, cut)
    const watch = watchOver(delivery, exchange.limits.cutMillisecondsMax, cut)
    try {
      let piece = await delivery.pull()
      reply.hijack()
      raw.writeHead(delivery.status, { ...headersOf(reply), ...delivery.headers })
      let sent: Promise<unknown> = Promise.resolve()
      while (piece !== undefined && !raw.destroyed) {
        const leaving = piece
        bytes += leaving.byteLength
        const written = new Promise<void>(resolve => {
          raw.write(leaving, err => {
            if (!err) taken += leaving.byteLength
            resolve()
          })
        })
        sent = Promise.race([closed, written])
        // While this piece is sent, the next is made.
        piece = await delivery.pull()
        await sent
      }
      if (!raw.destroyed) raw.end()
      await closed
      // A client that has the last byte may hang up before our own end of the answer.
      ending ??= raw.writableFinished || taken === wanted ? 'complete' : 'aborted'
    } finally {
      clearInterval(watch)
    }
  } catch (err) {
    ending ??= 'failed'
    if (!raw.headersSent) throw err
    // The headers are out: nothing can be answered any more.
    reply.log.error({ err }, 'content stream failed')
    raw.destroy()
  } finally {
    // At once: the client has the last byte and may ask for the next file. A service that stops
    // waits for the event below all the same, because the disclosures themselves do.
    place?.leave()
    await delivery.close().catch(() => {})
    await disclosure.complete(ending ?? 'failed', bytes)
  }
}

function watchOver(delivery: Delivery, milliseconds: number, cut: (why: Ending) => void) {
  let asking = false
  const timer = setInterval(async () => {
    if (asking) return
    asking = true
    // When the answer cannot be had, nobody knows that access still holds.
    const why = await delivery.mustEnd().catch((): Ending => 'failed')
    asking = false
    if (why !== undefined) cut(why)
  }, milliseconds)
  return timer
}

/** Headers that hooks have set, which a hijacked reply would lose. */
function headersOf(reply: FastifyReply): Record<string, string | string[]> {
  const entries = Object.entries(reply.getHeaders())
  return Object.fromEntries(
    entries.flatMap(([name, value]) =>
      value === undefined ? [] : [[name, Array.isArray(value) ? value : String(value)]]
    )
  )
}
