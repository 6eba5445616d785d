import { createHmac, timingSafeEqual } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createServer as createHttp, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createHttps } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import type { Test } from 'tap'

/** One request as it came. */
export interface ReceivedHook {
  id: string
  timestamp: string
  signature: string
  path: string
  host: string
  servername: string | undefined
  body: string
}

export interface Receiver {
  port: number
  /** Every request so far, in order. */
  received: ReceivedHook[]
}

type Respond = (turn: number, response: ServerResponse) => void

const fixture = (name: string) => readFileSync(join(import.meta.dirname, '../http/fixtures', name))

/** A real receiver on 127.0.0.1, until the test ends. It says 204 unless told otherwise. */
export async function startReceiver(
  t: Test,
  protocol: 'http' | 'https' = 'http',
  respond: Respond = (_turn, response) => void response.writeHead(204).end()
): Promise<Receiver> {
  const received: ReceivedHook[] = []
  const take = (request: IncomingMessage, response: ServerResponse) => {
    const parts: Buffer[] = []
    request.on('data', part => void parts.push(part))
    request.on('error', () => {})
    request.on('end', () => {
      const header = (name: string) => String(request.headers[name])
      received.push({
        id: header('webhook-id'),
        timestamp: header('webhook-timestamp'),
        signature: header('webhook-signature'),
        path: request.url ?? '',
        host: header('host'),
        servername: (request.socket as { servername?: string }).servername,
        body: Buffer.concat(parts).toString()
      })
      respond(received.length, response)
    })
  }
  const server =
    protocol === 'http'
      ? createHttp(take)
      : createHttps({ key: fixture('localhost.key'), cert: fixture('localhost.crt') }, take)
  server.on('tlsClientError', () => {})
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    return new Promise<void>(resolve => void server.close(() => resolve()))
  })
  return { port: (server.address() as AddressInfo).port, received }
}

/** How far a timestamp may be from the receiver's clock, in seconds (Standard Webhooks). */
const TOLERANCE_SECONDS = 300

/**
 * A receiver's own check, written from the specification and not from our code: whether the message
 * was signed with this secret, now, and whether it was had before.
 */
export function receiverCheck(secret: string, seen: Set<string>, now = Date.now()) {
  return ({
    id,
    timestamp,
    signature,
    body
  }: ReceivedHook): 'good' | 'forged' | 'old' | 'again' => {
    const encoded = secret.startsWith('whsec_') ? secret.substring(6) : secret
    const hmac = createHmac('sha256', Buffer.from(encoded, 'base64'))
    hmac.update(id).update('.').update(timestamp).update('.').update(body, 'utf8')
    const expected = hmac.digest()
    const isSigned = signature.split(' ').some(part => {
      const [version, given = ''] = part.split(',')
      const bytes = Buffer.from(given, 'base64')
      return (
        version === 'v1' && bytes.length === expected.length && timingSafeEqual(bytes, expected)
      )
    })
    if (!isSigned) return 'forged'
    if (Math.abs(now / 1000 - Number(timestamp)) > TOLERANCE_SECONDS) return 'old'
    if (seen.has(id)) return 'again'
    seen.add(id)
    return 'good'
  }
}
