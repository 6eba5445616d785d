import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { Test } from 'tap'

/** What a scripted clamd does with a stream. It has all of it, unless it answers at once. */
export interface Script {
  /** The answer, with its zero byte; nothing when undefined. */
  reply?: string
  /** The answer to this content, in place of `reply`. */
  replyTo?: (content: Buffer) => string
  /** Answers so much later. */
  delayMilliseconds?: number
  /** Answers, or closes, when this many bytes have come, and not at the end of the stream. */
  after?: number
  /** Says nothing more and keeps the connection. */
  stall?: boolean
  /** Reads nothing more for a second once it has this much, and then it is not interested. */
  stopReading?: number
  /** Answers once this is resolved. */
  when?: Promise<unknown>
}

export interface ScriptedClamd {
  address: string
  /** What to do with the next streams, until it is changed. */
  script: Script
  /** What it answers to PING. */
  pong: string
  /** What it answers to VERSION. */
  version: string
  /** Commands that were answered. */
  asked: number
  /** Streams that began, and the content of those that came to their end. */
  begun: number
  streams: Buffer[]
  /** Streams open now, and the most there ever were. */
  open: number
  openMax: number
  /** Stops listening, and ends what is open. */
  close(): Promise<void>
}

const STOP_MILLISECONDS = 1000

/** A clamd that does as it is told, on a unix socket of this test. */
export async function scriptedClamd(t: Test, script: Script = {}): Promise<ScriptedClamd> {
  const sockets = new Set<Socket>()
  // Beside the folder of the test, which its service empties.
  const address = join(
    '/tmp',
    `scripted-clamd-${process.pid}-${Math.random().toString(36).slice(2)}`
  )
  const clamd: ScriptedClamd = {
    address,
    script: { reply: 'stream: OK\0', ...script },
    pong: 'PONG\0',
    version: 'ClamAV 1.4.6\0',
    asked: 0,
    begun: 0,
    streams: [],
    open: 0,
    openMax: 0,
    async close() {
      if (!server.listening) return
      server.close()
      for (const socket of sockets) socket.destroy()
      await once(server, 'close')
    }
  }
  const server = createServer(socket => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
    void talk(clamd, socket)
  })
  server.listen(address)
  await once(server, 'listening')
  t.teardown(() => clamd.close())
  return clamd
}

async function talk(clamd: ScriptedClamd, socket: Socket): Promise<void> {
  let got: Buffer = Buffer.alloc(0)
  const first = await nextData(socket)
  got = first
  if (!got.toString().startsWith('zINSTREAM')) clamd.asked += 1
  if (got.toString().startsWith('zPING')) return void socket.end(clamd.pong)
  if (got.toString().startsWith('zVERSION')) return void socket.end(clamd.version)
  const { script } = clamd
  clamd.begun += 1
  clamd.open += 1
  clamd.openMax = Math.max(clamd.open, clamd.openMax)
  socket.once('close', () => {
    clamd.open -= 1
  })
  got = got.subarray('zINSTREAM\0'.length)
  const pieces: Buffer[] = []
  let bytes = 0
  for (;;) {
    while (got.length >= 4 && got.length >= 4 + got.readUInt32BE(0)) {
      const length = got.readUInt32BE(0)
      if (length === 0) {
        const content = Buffer.concat(pieces)
        clamd.streams.push(content)
        const reply = script.replyTo?.(content) ?? script.reply
        return answer({ ...script, ...(reply !== undefined && { reply }) }, socket)
      }
      pieces.push(got.subarray(4, 4 + length))
      bytes += length
      got = got.subarray(4 + length)
    }
    if (script.after !== undefined && bytes >= script.after) return answer(script, socket)
    if (script.stopReading !== undefined && bytes >= script.stopReading) {
      // A socket that is not read does not see that the other end has gone.
      setTimeout(() => socket.resume(), STOP_MILLISECONDS).unref()
      return
    }
    const more = await nextData(socket)
    if (more.length === 0) return
    got = Buffer.concat([got, more])
  }
}

async function answer(script: Script, socket: Socket): Promise<void> {
  const { stall, reply, when, delayMilliseconds } = script
  await when
  if (delayMilliseconds !== undefined) await pause(delayMilliseconds)
  socket.resume()
  if (stall) return
  if (reply === undefined) socket.end()
  else socket.end(Buffer.from(reply, 'latin1'))
}

/** The next bytes; none when the connection is over. */
function nextData(socket: Socket): Promise<Buffer> {
  return new Promise(resolve => {
    const done = (data?: Buffer) => {
      socket.pause()
      socket.off('data', done)
      socket.off('close', over)
      socket.off('end', over)
      resolve(data ?? Buffer.alloc(0))
    }
    const over = () => done()
    if (socket.destroyed) return resolve(Buffer.alloc(0))
    socket.on('data', done)
    socket.on('close', over)
    socket.on('end', over)
    socket.resume()
  })
}
