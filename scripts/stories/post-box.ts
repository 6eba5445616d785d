import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const WAIT_MILLISECONDS = 30_000
const LOOK_MILLISECONDS = 50

export interface Mail {
  to: string[]
  subject: string
  text: string
  html: string | false
}

export interface PostBox {
  /** What the service must be told to send its mail here. */
  settings: Record<string, string>
  /** Everything that came so far. */
  mails: Mail[]
  /** The first mail to this address whose subject fits and that nobody has taken yet. */
  next(to: string, subject: RegExp): Promise<Mail>
  close(): void
}

/** Starts the mail server of the demonstrations as a process of its own, on loopback. */
export async function openPostBox(): Promise<PostBox> {
  const file = fileURLToPath(new URL('mail-process.ts', import.meta.url))
  const child = spawn(process.execPath, [file], { stdio: ['pipe', 'pipe', 'inherit'] })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const { value } = await lines.next()
  const { port }: { port: number } = JSON.parse(String(value))
  const mails: Mail[] = []
  const taken = new Set<Mail>()
  const reading = (async () => {
    for await (const line of lines) mails.push(JSON.parse(line))
  })()

  async function next(to: string, subject: RegExp): Promise<Mail> {
    const deadline = Date.now() + WAIT_MILLISECONDS
    while (Date.now() < deadline) {
      const found = mails.find(
        mail => mail.to.includes(to) && subject.test(mail.subject) && !taken.has(mail)
      )
      if (found !== undefined) {
        taken.add(found)
        return found
      }
      await new Promise(resolve => setTimeout(resolve, LOOK_MILLISECONDS))
    }
    throw new Error(`No mail came: ${subject}`)
  }

  return {
    settings: {
      CONSILIUM_SMTP_URL: `smtp://127.0.0.1:${port}`,
      CONSILIUM_MAIL_FROM: 'Consilium <no-reply@consilium.example>'
    },
    mails,
    next,
    close() {
      child.stdin.end()
      void reading
    }
  }
}
