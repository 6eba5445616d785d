import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type ParsedMail, simpleParser } from 'mailparser'
import { SMTPServer, type SMTPServerOptions } from 'smtp-server'
import type { Test } from 'tap'

/** One message that the server took, with how it came. */
export interface TakenMail {
  raw: string
  parsed: ParsedMail
  recipients: string[]
  sender: string
  tls: boolean
  user: string | undefined
}

export interface MailServer {
  port: number
  url: string
  /** Everything taken so far, in order. */
  taken: TakenMail[]
  connections(): number
  close(): Promise<void>
}

/** What a server does otherwise than take everything. Each may throw, or wait. */
export interface MailHabits {
  /** Of a recipient, or a whole message: an answer such as `550 no such user`. */
  recipient?: (address: string) => Promise<string | undefined> | string | undefined
  message?: (turn: number) => Promise<string | undefined> | string | undefined
  connect?: () => string | undefined
  login?: { user: string; pass: string }
  /** Offers STARTTLS; `implicit` begins with TLS. */
  tls?: 'starttls' | 'implicit'
  port?: number
}

const fixture = (name: string) => readFileSync(join(import.meta.dirname, '../http/fixtures', name))

/** The certificate of `localhost` that the TLS of these servers uses. */
export const mailAuthority = fixture('localhost.crt').toString()

class Answer extends Error {
  readonly responseCode: number

  constructor(text: string) {
    super(text.slice(4))
    this.responseCode = Number(text.slice(0, 3))
  }
}

const answer = (text: string | undefined) => (text === undefined ? null : new Answer(text))

/** A real SMTP server on 127.0.0.1, until the test ends. */
export async function startMailServer(t: Test, habits: MailHabits = {}): Promise<MailServer> {
  const taken: TakenMail[] = []
  let turn = 0
  let connections = 0
  const options: SMTPServerOptions = {
    logger: false,
    disableReverseLookup: true,
    secure: habits.tls === 'implicit',
    disabledCommands: habits.tls === 'starttls' ? [] : ['STARTTLS'],
    authOptional: habits.login === undefined,
    allowInsecureAuth: true,
    ...(habits.tls && { key: fixture('localhost.key'), cert: fixture('localhost.crt') }),
    onConnect(_session, done) {
      connections += 1
      done(answer(habits.connect?.()))
    },
    onAuth({ username, password }, _session, done) {
      const { user, pass } = habits.login ?? {}
      const right = user === username && pass === password
      done(right ? null : new Answer('535 no'), right ? { user: username } : undefined)
    },
    async onRcptTo({ address }, _session, done) {
      done(answer(await habits.recipient?.(address)))
    },
    onData(stream, session, done) {
      const parts: Buffer[] = []
      stream.on('data', part => void parts.push(part))
      stream.on('end', async () => {
        turn += 1
        const refused = await habits.message?.(turn)
        if (refused !== undefined) return done(new Answer(refused))
        const raw = Buffer.concat(parts).toString()
        const { mailFrom, rcptTo } = session.envelope
        taken.push({
          raw,
          parsed: await simpleParser(raw),
          recipients: rcptTo.map(({ address }) => address),
          sender: mailFrom === false ? '' : mailFrom.address,
          tls: session.secure,
          user: session.user
        })
        done()
      })
    }
  }
  const server = new SMTPServer(options)
  server.on('error', () => {})
  await new Promise<void>(resolve => server.listen(habits.port ?? 0, '127.0.0.1', resolve))
  const address = server.server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  let closed: Promise<void> | undefined
  const close = () => {
    closed ??= new Promise<void>(resolve => void server.close(() => resolve()))
    return closed
  }
  t.teardown(close)
  return { port, url: `smtp://127.0.0.1:${port}`, taken, connections: () => connections, close }
}
