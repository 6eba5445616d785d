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

/** Sends the request as it is. The connection closes after the answer. */
export function rawCall(
  url: string,
  requestLine: string,
  headers: Record<string, string> = {},
  content: string | Buffer = ''
): RawCall {
  const { hostname, port, host } = new URL(url)
  const socket = connect({ host: hostname, port: Number(port) })
  const all = { host, connection: 'close', ...headers }
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`)
  socket.write(`${requestLine} HTTP/1.1\r\n${lines.join('')}\r\n`)
  if (content.length > 0) socket.write(content)
  let headBytes = Buffer.alloc(0)
  let headEnd = -1
  const body: Buffer[] = []
  let bodyBytes = 0
  let ended = false
  socket.on('error', () => {})
  socket.on('close', () => {
    ended = true
  })

  function take(chunk: Buffer): void {
    if (headEnd >= 0) {
      body.push(chunk)
      bodyBytes += chunk.length
      return
    }
    headBytes = Buffer.concat([headBytes, chunk])
    const end = headBytes.indexOf('\r\n\r\n')
    if (end < 0) return
    headEnd = end + 4
    take(headBytes.subarray(headEnd))
  }

  async function readUntil(enough: () => boolean): Promise<void> {
    while (!enough() && !ended) {
      const chunk = socket.read() as Buffer | null
      if (chunk === null) await nextEvent(socket)
      else take(chunk)
    }
  }

  return {
    socket,
    received: () => bodyBytes,
    async head() {
      await readUntil(() => headEnd >= 0)
      const [first = '', ...rest] = headBytes
        .subarray(0, Math.max(0, headEnd))
        .toString('latin1')
        .split('\r\n')
      const pairs = rest.filter(Boolean).map(line => {
        const colon = line.indexOf(':')
        return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const
      })
      return { status: Number(first.split(' ')[1] ?? 0), headers: Object.fromEntries(pairs) }
    },
    async take(bytes) {
      await readUntil(() => headEnd >= 0 && bodyBytes >= bytes)
      return Buffer.concat(body)
    },
    async rest() {
      await readUntil(() => false)
      return Buffer.concat(body)
    },
    abort: () => void socket.destroy()
  }
}

/** Waits until there is something to read, or never will be. */
async function nextEvent(socket: Socket): Promise<void> {
  const heard = new AbortController()
  const events = ['readable', 'close'].map(name => once(socket, name, heard))
  await Promise.race(events).catch(() => {})
  heard.abort()
  await Promise.allSettled(events)
}
