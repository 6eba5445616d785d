import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { Socket } from 'node:net'
import { type BodyPlan, bodyOf, MULTIPART_TYPE } from './bodies.ts'
import { replyReader } from './replies.ts'

// The client of every figure, a process of its own. It speaks HTTP by hand over plain sockets and
// reads into one buffer, because Node's own client would be slower than the servers it measures.

/** What the bench asks of its client. */
export type Task = { port: number; path: string } & (
  | {
      kind: 'upload'
      token?: string | undefined
      method: 'PUT' | 'POST' | 'PATCH'
      /** Besides its type and length. */
      headers?: Record<string, string>
      body: BodyPlan
    }
  | { kind: 'download'; token?: string | undefined; withDigest: boolean }
  | {
      kind: 'load'
      method: 'GET' | 'POST'
      /** What callers send: of one each, in turn. */
      bodies?: unknown[]
      /** Of the callers, who are as many. */
      tokens: string[]
      warmMilliseconds: number
      milliseconds: number
    }
)

/** What came of it. Times are of the part that counts; sums are of all. */
export interface Done {
  status: number
  seconds: number
  /** User and system time of the client in those seconds. */
  clientCpuSeconds: number
  /** And since it was started. */
  clientLifeCpuSeconds: number
  /** Of the body received. */
  bytes: number
  sha256?: string
  /** The body, where it is an answer and not content. */
  text?: string
  /** Of a load: answered while the time counted, and answered at all. */
  counted?: number
  answered?: number
}

type Performed = Omit<Done, 'clientLifeCpuSeconds'>

const READ_BYTES = 1_048_576
const SEND_AHEAD_BYTES = 4 * 1_048_576
const readBuffer = Buffer.allocUnsafeSlow(READ_BYTES)

process.on('message', async (task: Task) => {
  try {
    const done = await perform(task)
    const { user, system } = process.cpuUsage()
    process.send?.({ done: { ...done, clientLifeCpuSeconds: (user + system) / 1e6 } })
  } catch (err) {
    process.send?.({ failed: err instanceof Error ? err.message : String(err) })
  }
})
process.on('disconnect', () => process.exit())

function perform(task: Task): Promise<Performed> {
  if (task.kind === 'upload') return upload(task)
  return task.kind === 'download' ? download(task) : load(task)
}

/** A connection whose every chunk is read into the one buffer and handed to `onChunk`. */
async function connect(
  port: number,
  onChunk: (chunk: Buffer, socket: Socket) => void,
  onLost: (err: Error) => void
): Promise<Socket> {
  const options = {
    writableHighWaterMark: SEND_AHEAD_BYTES,
    onread: {
      buffer: readBuffer,
      callback(bytes: number) {
        try {
          onChunk(readBuffer.subarray(0, bytes), socket)
        } catch (err) {
          onLost(err instanceof Error ? err : new Error(String(err)))
        }
        return true
      }
    }
  }
  const socket: Socket = new Socket(options as ConstructorParameters<typeof Socket>[0])
  socket.on('error', onLost)
  socket.on('close', () => onLost(new Error('The server closed the connection.')))
  socket.setNoDelay(true).connect(port, '127.0.0.1')
  await once(socket, 'connect')
  return socket
}

function requestHead(
  task: Task,
  method: string,
  token: string | undefined,
  headers: Record<string, string | number> = {}
): string {
  const all = {
    host: `localhost:${task.port}`,
    ...(token !== undefined && { authorization: `Bearer ${token}` }),
    ...headers
  }
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`)
  return `${method} ${task.path} HTTP/1.1\r\n${lines.join('')}\r\n`
}

/** One request and its whole response, timed from its first byte to the response's last. */
async function exchange(
  task: Task,
  onBody: (piece: Buffer) => void,
  send: (socket: Socket) => Promise<void>
): Promise<Performed> {
  const ended = Promise.withResolvers<void>()
  let bytes = 0
  const reply = replyReader(piece => {
    bytes += piece.byteLength
    onBody(piece)
  })
  const take = (chunk: Buffer) => {
    if (reply.take(chunk)) ended.resolve()
  }
  const socket = await connect(task.port, take, ended.reject)
  const [began, cpu] = [performance.now(), process.cpuUsage()]
  // An early answer, as to a refused upload, ends the sending too.
  await Promise.race([send(socket).then(() => ended.promise), ended.promise])
  const { user, system } = process.cpuUsage(cpu)
  const seconds = (performance.now() - began) / 1000
  socket.destroy()
  return { status: reply.status(), seconds, clientCpuSeconds: (user + system) / 1e6, bytes }
}

async function upload(task: Task & { kind: 'upload' }): Promise<Performed> {
  const body = bodyOf(task.body)
  const head = requestHead(task, task.method, task.token, {
    'content-type': task.body.form ? MULTIPART_TYPE : 'application/octet-stream',
    ...task.headers,
    'content-length': body.bytes
  })
  const answer: Buffer[] = []
  const done = await exchange(
    task,
    piece => answer.push(Buffer.from(piece)),
    async socket => {
      socket.write(head)
      for (const piece of body.pieces()) {
        if (!socket.write(piece)) await once(socket, 'drain')
      }
    }
  )
  return { ...done, text: Buffer.concat(answer).toString() }
}

async function download(task: Task & { kind: 'download' }): Promise<Performed> {
  const hash = task.withDigest ? createHash('sha256') : undefined
  const done = await exchange(
    task,
    piece => hash?.update(piece),
    async socket => {
      socket.write(requestHead(task, 'GET', task.token))
    }
  )
  return { ...done, ...(hash && { sha256: hash.digest('hex') }) }
}

/**
 * Callers that each send a request, wait for the whole answer and send the next, first unmeasured,
 * then measured. Every request sent is answered before this resolves, so that what the server says
 * it did can be compared with the sum.
 */
async function load(task: Task & { kind: 'load' }): Promise<Performed> {
  const { bodies = [] } = task
  const requests = task.tokens.map((token, n) => {
    const json = bodies.length === 0 ? '' : JSON.stringify(bodies[n % bodies.length])
    const body = json === '' ? {} : { 'content-type': 'application/json' }
    const length = json === '' ? {} : { 'content-length': Buffer.byteLength(json) }
    return Buffer.from(requestHead(task, task.method, token, { ...body, ...length }) + json)
  })
  let answered = 0
  let stopping = false
  let idle = 0
  const ended = Promise.withResolvers<void>()

  const callers = await Promise.all(
    requests.map(async request => {
      const reply = replyReader()
      const take = (chunk: Buffer, socket: Socket) => {
        if (!reply.take(chunk)) return
        if (reply.status() !== 200) throw new Error(`A request was answered ${reply.status()}.`)
        answered += 1
        if (!stopping) socket.write(request)
        else if (++idle === requests.length) ended.resolve()
      }
      return { request, socket: await connect(task.port, take, ended.reject) }
    })
  )
  const pause = (milliseconds: number) =>
    Promise.race([ended.promise, new Promise(resolve => setTimeout(resolve, milliseconds))])
  for (const { request, socket } of callers) socket.write(request)
  await pause(task.warmMilliseconds)
  const [before, began, cpu] = [answered, performance.now(), process.cpuUsage()]
  await pause(task.milliseconds)
  const counted = answered - before
  const { user, system } = process.cpuUsage(cpu)
  const seconds = (performance.now() - began) / 1000
  stopping = true
  await ended.promise
  for (const { socket } of callers) socket.destroy()
  const clientCpuSeconds = (user + system) / 1e6
  return { status: 200, seconds, clientCpuSeconds, bytes: 0, counted, answered }
}
