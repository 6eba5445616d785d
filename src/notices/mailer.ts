import type { MailSettings } from '../config-notices.ts'
import { readPrivateFile } from '../sealing/private-file.ts'
import type { Attempt } from './attempt.ts'

/** How long a server may take. */
export interface MailPatience {
  connectMilliseconds: number
  greetingMilliseconds: number
  /**
   * Without a byte. RFC 5321, section 4.5.3.2.6: after the end of the message ten minutes, because
   * whoever gives up earlier may send twice what a slow server has taken.
   */
  silenceMilliseconds: number
  /** Everything together. Less than the lease of a notice, which another process may take then. */
  totalMilliseconds: number
}

const MINUTE_MILLISECONDS = 60_000
export const mailPatience: MailPatience = {
  connectMilliseconds: 10_000,
  greetingMilliseconds: 30_000,
  silenceMilliseconds: 10 * MINUTE_MILLISECONDS,
  totalMilliseconds: 11 * MINUTE_MILLISECONDS
}

/** One message, whole. */
export interface Mail {
  /** Of the notice: the same for each attempt. */
  id: string
  to: string
  /** Milliseconds UTC. */
  date: number
  subject: string
  text: string
  html: string
}

/** Hands one message to the server. Resolves to what came of it and never throws. */
export type SendMail = (mail: Mail, signal: AbortSignal) => Promise<Attempt>

/**
 * Sends by SMTP (RFC 5321), one connection for each message. The envelope has one recipient. Every
 * attempt at a notice gives the same message, byte for byte, with the same Message-ID, by which a
 * receiver can drop a second copy: if the connection or this process ends after the server took the
 * message and before its answer is stored here, it is sent again.
 */
export function openMailer(
  settings: MailSettings,
  patience: MailPatience = mailPatience
): SendMail {
  return async (mail, signal) => {
    const timeout = AbortSignal.timeout(patience.totalMilliseconds)
    try {
      const { createTransport } = await import('nodemailer')
      const transport = createTransport({
        host: settings.host,
        port: settings.port,
        secure: settings.tls === 'implicit',
        requireTLS: settings.tls === 'starttls',
        ignoreTLS: settings.tls === 'none',
        tls: { minVersion: 'TLSv1.2', rejectUnauthorized: true },
        ...(await authOf(settings)),
        connectionTimeout: patience.connectMilliseconds,
        dnsTimeout: patience.connectMilliseconds,
        greetingTimeout: patience.greetingMilliseconds,
        socketTimeout: patience.silenceMilliseconds,
        disableFileAccess: true,
        disableUrlAccess: true,
        logger: false
      })
      await transport.sendMail(messageOf(settings, mail, AbortSignal.any([signal, timeout])))
      return { result: 'sent' }
    } catch (err) {
      if (signal.aborted) return { result: 'later', code: 'stopped', all: true }
      return judge(err)
    }
  }
}

function messageOf({ from }: MailSettings, mail: Mail, signal: AbortSignal) {
  const domain = from.address.slice(from.address.lastIndexOf('@') + 1)
  return {
    from,
    to: { name: '', address: mail.to },
    envelope: { from: from.address, to: [mail.to] },
    subject: mail.subject,
    text: mail.text,
    html: mail.html,
    messageId: `<${mail.id}@${domain}>`,
    date: new Date(mail.date),
    baseBoundary: mail.id,
    xMailer: false as const,
    // RFC 3834, section 5: no machine answers a machine.
    headers: { 'Auto-Submitted': 'auto-generated', 'X-Auto-Response-Suppress': 'All' },
    signal
  }
}

/** Read anew for each connection, so that a changed password needs no restart. */
async function authOf({
  credentials
}: MailSettings): Promise<{ auth?: { user: string; pass: string } }> {
  if (credentials === undefined) return {}
  if (!('file' in credentials)) return { auth: credentials }
  const text = (await readPrivateFile(credentials.file)).trim()
  const at = text.indexOf(':')
  return { auth: { user: text.slice(0, at), pass: text.slice(at + 1) } }
}

/** What nodemailer, or the file of the login, says: as the sender of a notice may read it. */
const codes: Record<string, string> = {
  EAUTH: 'smtp-login',
  ENOAUTH: 'smtp-login',
  'key-missing': 'smtp-login',
  'keyring-unsafe': 'smtp-login',
  'keyring-damaged': 'smtp-login',
  ETLS: 'smtp-tls',
  ETIMEDOUT: 'smtp-timeout',
  EABORT: 'smtp-timeout'
}

/**
 * Whether it is worth trying again. What the server says for good (5yz, RFC 5321, section 4.2.1)
 * about this recipient or this message is believed. What it says about us, our login or our address
 * an operator can mend, so that is tried again until the notice is given up. The text of an answer
 * names the recipient, so only its number is kept.
 */
function judge(err: unknown): Attempt {
  const {
    code = '',
    responseCode,
    command = '',
    permanent
  } = Object(err) as {
    code?: string
    responseCode?: number
    command?: string
    permanent?: boolean
  }
  if (responseCode === undefined || code === 'EAUTH') {
    return { result: 'later', code: codes[code] ?? 'smtp-unreachable', all: true }
  }
  const ofThisOne = command === 'RCPT TO' || command === 'DATA'
  const told = `smtp-${responseCode}`
  if (ofThisOne && permanent === true) return { result: 'failed', code: told }
  return ofThisOne && responseCode !== 421
    ? { result: 'later', code: told }
    : { result: 'later', code: told, all: true }
}
