import type { IncomingMessage } from 'node:http'

/** What may wait here while it is not taken. Reading in bursts keeps the connection from stalling. */
const AHEAD_BYTES_MAX = 2 * 1_048_576

/**
 * The pieces of a body until it ends or breaks off, each the sole owner of its memory where Node
 * makes it so. What had come before the line broke is given out too. While no piece comes for
 * `idleMilliseconds`, `idle` runs once, and ends before the next is given out; what it throws is
 * thrown here.
 */
export async function* piecesOf(
  body: IncomingMessage,
  idleMilliseconds: number,
  idle: () => Promise<void>
): AsyncGenerator<Buffer> {
  const waiting: Buffer[] = []
  let bytes = 0
  let hasEnded = body.destroyed || body.readableEnded
  let arrived = Promise.withResolvers<void>()
  const take = (piece: Buffer) => {
    waiting.push(piece)
    bytes += piece.byteLength
    if (bytes >= AHEAD_BYTES_MAX) body.pause()
    arrived.resolve()
  }
  const end = () => {
    hasEnded = true
    arrived.resolve()
  }
  let isWaiting = false
  let idling: Promise<void> | undefined
  const timer = setTimeout(() => {
    if (!isWaiting) return
    idling = idle()
    idling.catch(() => {})
  }, idleMilliseconds)
  // A body fails only when its connection does, and then closes.
  body.on('data', take).once('end', end).once('close', end).once('error', end)
  try {
    for (;;) {
      const piece = waiting.shift()
      if (piece !== undefined) {
        bytes -= piece.byteLength
        if (bytes < AHEAD_BYTES_MAX / 2 && body.isPaused()) body.resume()
        yield piece
        continue
      }
      if (hasEnded) return
      arrived = Promise.withResolvers()
      timer.refresh()
      isWaiting = true
      await arrived.promise
      isWaiting = false
      await idling
      idling = undefined
    }
  } finally {
    clearTimeout(timer)
    body.off('data', take).off('end', end).off('close', end)
    await idling?.catch(() => {})
  }
}
