import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

/** One request on a socket of its own, whose answer is read byte by byte and only when asked. */
export interface RawCall {
  socket: Socket
  /** Status and headers (names in small letters), once they have come. */
  head(): Promise<{ status: number; headers: Record<string, string> }>
  /** Reads until at least this many bytes of the body have come, or the connection has ended. */
  take(bytes: number): Promise<Buffer>
  /** Reads to the end of the connection, and gives the whole body. */
  rest(): Promise<Buffer>
  /** Body bytes received so far. */
  received(): number
  /** Breaks the connection off. */
  abort(): void
}

/** Sends `head` lines and `body` as they are. The connection closes after the answer. */
export function rawCall(
  url: string,
  requestLine: string,
  headers: Record<string, string> = {},
  body: string | Buffer = ''
): RawCall {
  const { hostname, port, host } = new URL(url)
  const socket = connect({ host: hostname, port: Number(port) })
  const all = { host, connection: 'close', ...headers }
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`)
  socket.write(`${requestLine} HTTP/1.1\r\n${lines.join('')}\r\n`)
  if (body.length > 0) socket.write(body)
  let buffer = Buffer.alloc(0)
  let bodyStart = -1
  let ended = false
  socket.on('error', () => {})
  socket.on('close', () => {
    ended = true
  })

  async function readUntil(enough: () => boolean): Promise<void> {
    while (!enough() && !ended) {
      const chunk = socket.read() as Buffer | null
      if (chunk === null) {
        const heard = new AbortController()
        const events = ['readable', 'close'].map(name => once(socket, name, heard))
        await Promise.race(events).catch(() => {})
        heard.abort()
        for (const event of events) event.catch(() => {})
        continue
      }
      buffer = Buffer.concat([buffer, chunk])
      const end = buffer.indexOf('\r\n\r\n')
      if (bodyStart < 0 && end >= 0) bodyStart = end + 4
    }
  }

  const received = () => (bodyStart < 0 ? 0 : buffer.length - bodyStart)
  const bodySoFar = () => (bodyStart < 0 ? Buffer.alloc(0) : buffer.subarray(bodyStart))
  return {
    socket,
    received,
    async head() {
      await readUntil(() => bodyStart >= 0)
      const [first = '', ...rest] = buffer
        .subarray(0, Math.max(0, bodyStart))
        .toString('latin1')
        .split('\r\n')
      const pairs = rest.filter(Boolean).map(line => {
        const colon = line.indexOf(':')
        return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const
      })
      return { status: Number(first.split(' ')[1] ?? 0), headers: Object.fromEntries(pairs) }
    },
    async take(bytes) {
      await readUntil(() => bodyStart >= 0 && received() >= bytes)
      return bodySoFar()
    },
    async rest() {
      await readUntil(() => false)
      return bodySoFar()
    },
    abort: () => void socket.destroy()
  }
}
