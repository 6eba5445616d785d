import { connect, type Socket } from 'node:net'
import { readReply, SCANNER_DOWN, TIMED_OUT, type Verdict } from './verdict.ts'

/** Where clamd listens: a unix socket, or a port of this machine. */
export type ClamdAddress = { path: string } | { host: string; port: number }

/** A clamd that does not even take a connection by then is down. */
const CONNECT_MILLISECONDS_MAX = 2000
/** By then it must have taken what it was sent, if only a little of it. */
const STALL_MILLISECONDS_MAX = 30_000
/** The longest answer to a scan is a signature name; one that is longer is nonsense. */
const REPLY_BYTES_MAX = 1024
const COMMAND_MILLISECONDS_MAX = 2000

/** The scan of one file under way. */
export interface ClamdStream {
  /**
   * Sends the next bytes. They must not change until `sent` is called, which is also when the scan has
   * ended and nobody wants them.
   */
  write(piece: Uint8Array, sent: () => void): void
  /** Says that this was the file, and resolves to `verdict`. */
  end(): Promise<Verdict>
  /** What came of it, however it came to its end. Never rejects. It may come before `end`. */
  readonly verdict: Promise<Verdict>
  /** Gives the scan up: no verdict. Harmless at any time. */
  abort(): void
}

/**
 * Begins a scan by clamd's INSTREAM (clamd(8)): each piece behind its length in four bytes, at the
 * end a length of zero, then one line of answer. `verdictSecondsMax` runs from the end of the file. A
 * clamd that cannot be reached, stalls, closes early or answers nonsense has not scanned anything.
 */
export function openClamdStream(address: ClamdAddress, verdictSecondsMax: number): ClamdStream {
  const socket = connect(address)
  const { promise: verdict, resolve } = Promise.withResolvers<Verdict>()
  let reply = ''
  let unsent = 0
  let isEnding = false
  let isAllSent = false
  let isOver = false
  let timer: NodeJS.Timeout | undefined

  function settle(outcome: Verdict): void {
    clearTimeout(timer)
    isOver = true
    socket.destroy()
    resolve(outcome)
  }
  /** Only what we wait for is timed: between two pieces it is the sender who is slow. */
  function watch(milliseconds: number, outcome: Verdict): void {
    clearTimeout(timer)
    timer = setTimeout(() => settle(outcome), milliseconds)
  }
  function send(bytes: Uint8Array, sent?: () => void): void {
    unsent += 1
    socket.write(bytes, err => {
      unsent -= 1
      sent?.()
      if (err || isOver) return
      if (isAllSent || socket.connecting) return
      if (unsent > 0) watch(STALL_MILLISECONDS_MAX, TIMED_OUT)
      else if (!isEnding) clearTimeout(timer)
    })
  }

  watch(CONNECT_MILLISECONDS_MAX, SCANNER_DOWN)
  socket.on('connect', () => watch(STALL_MILLISECONDS_MAX, TIMED_OUT))
  socket.on('data', data => {
    reply += data.toString('latin1')
    if (reply.length > REPLY_BYTES_MAX) settle(SCANNER_DOWN)
    else if (reply.includes('\0')) settle(readReply(reply, isAllSent))
  })
  socket.on('error', () => settle(SCANNER_DOWN))
  socket.on('close', () => settle(SCANNER_DOWN))
  send(Buffer.from('zINSTREAM\0'))

  return {
    verdict,
    write(piece, sent) {
      // A length of zero would say that the file ends here.
      if (isOver || piece.byteLength === 0) return sent()
      if (unsent === 0 && !socket.connecting) watch(STALL_MILLISECONDS_MAX, TIMED_OUT)
      socket.cork()
      send(lengthOf(piece.byteLength))
      send(piece, sent)
      socket.uncork()
    },
    end() {
      if (isOver || isEnding) return verdict
      isEnding = true
      send(lengthOf(0), () => {
        isAllSent = true
        if (!isOver) watch(verdictSecondsMax * 1000, TIMED_OUT)
      })
      return verdict
    },
    abort: () => settle(SCANNER_DOWN)
  }
}

function lengthOf(bytes: number): Buffer {
  const length = Buffer.alloc(4)
  length.writeUInt32BE(bytes)
  return length
}

/** Asks clamd PING or VERSION and resolves to its answer. Rejects when there is none in time. */
export async function askClamd(
  address: ClamdAddress,
  command: 'PING' | 'VERSION'
): Promise<string> {
  const socket: Socket = connect(address)
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const timer = setTimeout(
    () => reject(new Error('clamd does not answer.')),
    COMMAND_MILLISECONDS_MAX
  )
  let reply = ''
  socket.on('data', data => {
    reply += data.toString('latin1')
    if (reply.includes('\0') || reply.length > REPLY_BYTES_MAX) resolve(reply)
  })
  socket.on('error', reject)
  socket.on('close', () => reject(new Error('clamd closed the connection.')))
  socket.write(`z${command}\0`)
  try {
    const answer = await promise
    if (answer.indexOf('\0') !== answer.length - 1) throw new Error('clamd answers nonsense.')
    return answer.slice(0, -1)
  } finally {
    clearTimeout(timer)
    socket.destroy()
  }
}
