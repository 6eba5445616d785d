import { once } from 'node:events'
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type RequestOptions,
  request,
  type ServerResponse
} from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'

export type ProxyFault =
  /** Answers by itself, in the form of S3. The server never hears of the request. */
  | { answer: number; code: string }
  /** Answers by itself with this JSON. */
  | { answer: number; json: unknown }
  /** Hangs up once the server has this much of the request's body. */
  | { cutUpAfter: number }
  /** Hangs up once the client has this much of the answer's body. */
  | { cutDownAfter: number }
  /** Forwards no more once the client has this much of the answer's body, and stays silent. */
  | { stallAfter: number }
  /** Hangs up at once, and the server never hears of the request. */
  | { hangUp: true }
  /** Everything happens, so many milliseconds later. */
  | { delay: number }
  /** Nobody answers, and the server never hears of the request. */
  | { ignore: true }
  /** The server does what it is asked to do, and then the answer is lost. */
  | { loseAnswer: true }
  /** The same, and whoever stands between answers in its place, as a gateway does that waited too long. */
  | { answerInstead: number }
  /** The body arrives with one bit changed. */
  | { flipBit: true }

export interface ProxiedRequest {
  method: string
  url: string
  headers: IncomingHttpHeaders
}

export interface FaultProxy {
  url: string
  /** Every request so far. */
  requests: ProxiedRequest[]
  /** The next `times` requests that match meet this fault. */
  fail(match: (request: ProxiedRequest) => boolean, fault: ProxyFault, times?: number): void
  /** No fault strikes any more. */
  heal(): void
  /** How many times a fault has struck. */
  struck(): number
}

/** Stands between a client and the server at `target` and disturbs what passes, as it is told. */
export async function faultProxy(t: Test, target: string): Promise<FaultProxy> {
  const { hostname, port } = new URL(target)
  const requests: ProxiedRequest[] = []
  const planned: {
    match: (request: ProxiedRequest) => boolean
    fault: ProxyFault
    left: number
  }[] = []
  let struck = 0

  const server = createServer((req, res) => {
    const seen = { method: req.method ?? '', url: req.url ?? '', headers: req.headers }
    requests.push(seen)
    const plan = planned.find(({ match, left }) => left > 0 && match(seen))
    if (plan !== undefined) {
      plan.left -= 1
      struck += 1
    }
    const { method, url: path } = seen
    // The name of the host stays as the client signed it.
    const to = { hostname, port, method, path, headers: req.headers }
    const fault = plan?.fault
    if (fault && 'hangUp' in fault) req.socket.destroy()
    else if (fault && 'delay' in fault)
      setTimeout(() => forward(req, res, to, undefined), fault.delay)
    else forward(req, res, to, fault)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    fail(match, fault, times = 1) {
      planned.push({ match, fault, left: times })
    },
    heal: () => void planned.splice(0),
    struck: () => struck
  }
}

function forward(
  req: IncomingMessage,
  res: ServerResponse,
  to: RequestOptions,
  fault: ProxyFault | undefined
): void {
  if (fault && 'answer' in fault) {
    answer(req, res, fault)
    return
  }
  if (fault && 'ignore' in fault) {
    req.resume()
    return
  }
  const hangUp = () => req.socket.destroy()
  const upstream = request({ ...to, agent: false })
  upstream.on('error', hangUp)
  res.on('close', () => upstream.destroy())
  upstream.on('response', reply => {
    if (fault && 'loseAnswer' in fault) {
      reply.resume().on('end', hangUp)
      return
    }
    if (fault && 'answerInstead' in fault) {
      reply.resume().on('end', () => {
        res.writeHead(fault.answerInstead, { 'content-type': 'text/html' })
        res.end('<h1>Gateway Timeout</h1>')
      })
      return
    }
    res.writeHead(reply.statusCode ?? 500, reply.headers)
    passDown(reply, res, fault, hangUp)
  })
  passUp(req, upstream, fault, hangUp)
}

function answer(
  req: IncomingMessage,
  res: ServerResponse,
  fault: { answer: number; code: string } | { answer: number; json: unknown }
) {
  req.resume().on('end', () => {
    if ('json' in fault) {
      res.writeHead(fault.answer, { 'content-type': 'application/json' })
      res.end(JSON.stringify(fault.json))
      return
    }
    res.writeHead(fault.answer, { 'content-type': 'application/xml' })
    res.end(`<?xml version="1.0"?><Error><Code>${fault.code}</Code><Message>no</Message></Error>`)
  })
}

function passUp(
  req: IncomingMessage,
  upstream: ReturnType<typeof request>,
  fault: ProxyFault | undefined,
  hangUp: () => void
): void {
  let sent = 0
  req.on('data', (chunk: Buffer) => {
    if (fault && 'flipBit' in fault && sent === 0) chunk[0] = (chunk[0] ?? 0) ^ 1
    sent += chunk.length
    if (fault && 'cutUpAfter' in fault && sent > fault.cutUpAfter) {
      upstream.destroy()
      hangUp()
      return
    }
    if (upstream.write(chunk)) return
    req.pause()
    upstream.once('drain', () => req.resume())
  })
  req.on('end', () => upstream.end())
}

function passDown(
  reply: IncomingMessage,
  res: ServerResponse,
  fault: ProxyFault | undefined,
  hangUp: () => void
): void {
  let sent = 0
  reply.on('data', (chunk: Buffer) => {
    const cutAt = fault && 'cutDownAfter' in fault ? fault.cutDownAfter : Number.POSITIVE_INFINITY
    const stallAt = fault && 'stallAfter' in fault ? fault.stallAfter : Number.POSITIVE_INFINITY
    const room = Math.max(0, Math.min(cutAt, stallAt) - sent)
    const passed = chunk.subarray(0, room)
    sent += passed.length
    if (!res.write(passed)) {
      reply.pause()
      res.once('drain', () => reply.resume())
    }
    // What was written is on its way before the connection goes.
    if (sent >= cutAt) setTimeout(hangUp, 20)
    if (sent >= Math.min(cutAt, stallAt)) reply.removeAllListeners('end').pause()
  })
  reply.on('end', () => res.end())
}
