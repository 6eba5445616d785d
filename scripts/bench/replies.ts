const HEAD_END = '\r\n\r\n'
const LENGTH = 'content-length: '
/** The one status whose answers have neither length nor body. */
const NO_CONTENT = 204

/** Reads one HTTP/1.1 response after another from the chunks of a connection. */
export interface ReplyReader {
  /**
   * Takes the next chunk, whose memory may be used again afterwards. Returns true when a response
   * has come to its end, and the reader is then ready for the next. No response may be followed by
   * bytes of another in one chunk: the client never sends a request before that.
   */
  take(chunk: Buffer): boolean
  /** Of the response that is being read, or was read last. */
  status(): number
}

/**
 * Knows just as much of HTTP as these servers use, which is what keeps the client lighter than they
 * are: status, and a body of the length in Content-Length. Throws on anything else.
 */
export function replyReader(onBody: (piece: Buffer) => void = () => {}): ReplyReader {
  let head: Buffer | undefined
  let status = 0
  let left = -1

  function beginBody(chunk: Buffer): Buffer | undefined {
    const text = head === undefined ? chunk : Buffer.concat([head, chunk])
    const end = text.indexOf(HEAD_END)
    if (end < 0) {
      head = Buffer.from(text)
      return undefined
    }
    head = undefined
    status = Number(text.toString('latin1', 9, 12))
    left = status === NO_CONTENT ? 0 : lengthIn(text, end)
    if (Number.isNaN(left)) throw new Error(`Response ${status} without a length.`)
    return text.subarray(end + HEAD_END.length)
  }

  return {
    take(chunk) {
      const body = left < 0 ? beginBody(chunk) : chunk
      if (body === undefined) return false
      left -= body.byteLength
      if (left < 0) throw new Error('More bytes than the response has.')
      if (body.byteLength > 0) onBody(body)
      if (left > 0) return false
      left = -1
      return true
    },
    status: () => status
  }
}

/** Node spells the header with capitals, Fastify without. */
function lengthIn(head: Buffer, end: number): number {
  let at = head.indexOf(LENGTH)
  if (at < 0 || at > end) at = head.indexOf('Content-Length: ')
  if (at < 0 || at > end) throw new Error('A response without Content-Length.')
  const start = at + LENGTH.length
  return Number.parseInt(head.toString('latin1', start, start + 16), 10)
}
