import { statSync } from 'node:fs'
import { BlockList, isIP } from 'node:net'
import { isRange, list } from './config-lists.ts'
import { readEmailAddress } from './identity/email-address.ts'

const LOOPBACK = new Set(['127.0.0.1', '[::1]', 'localhost'])
const NAME_CHARACTERS_MAX = 100
/** A range with fewer is no network of anybody's. */
const PREFIX_BITS_MIN = 8
const PORTS = { 'smtps:': 465, 'smtp:': 587 } as const

/** The server that takes our e-mail, and in whose name it is sent. */
export interface MailSettings {
  host: string
  port: number
  /** From the first byte, by STARTTLS without which nothing is said, or (loopback alone) not at all. */
  tls: 'implicit' | 'starttls' | 'none'
  /** What the server knows us by: given here, or in a file that is read for each connection. */
  credentials: { user: string; pass: string } | { file: string } | undefined
  from: { name: string; address: string }
}

type Env = Record<string, string | undefined>

/**
 * Reads the settings of e-mail, undefined when there is to be none. What is wrong is added to
 * `problems`, which never quote the address of the server, because it may hold a password.
 */
export function readMail(env: Env, problems: string[]): MailSettings | undefined {
  const text = env['CONSILIUM_SMTP_URL']
  const from = env['CONSILIUM_MAIL_FROM']
  const file = env['CONSILIUM_SMTP_CREDENTIALS_FILE']
  if (!text) {
    const others = ['CONSILIUM_MAIL_FROM', 'CONSILIUM_SMTP_CREDENTIALS_FILE'].filter(n => env[n])
    if (others.length > 0) {
      problems.push(`${others.join(', ')} without CONSILIUM_SMTP_URL: name the server as well.`)
    }
    return undefined
  }
  const sender = readSender(from ?? '')
  if (sender === undefined) {
    problems.push('CONSILIUM_MAIL_FROM must be an e-mail address, alone or as Name <address>.')
  }
  const url = URL.canParse(text) ? new URL(text) : undefined
  const isServer = url !== undefined && isSmtp(url.protocol) && url.hostname !== ''
  if (!isServer || !/^\/?$/.test(url.pathname) || url.search !== '' || url.hash !== '') {
    problems.push(
      'CONSILIUM_SMTP_URL must be an address such as smtps://user:password@mail.example.org.'
    )
    return undefined
  }
  const credentials = readCredentials(url, file, problems)
  if (sender === undefined) return undefined
  const protocol = url.protocol as keyof typeof PORTS
  return Object.freeze({
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: Number(url.port || PORTS[protocol]),
    tls: protocol === 'smtps:' ? 'implicit' : LOOPBACK.has(url.hostname) ? 'none' : 'starttls',
    credentials,
    from: sender
  })
}

const isSmtp = (protocol: string): boolean => Object.hasOwn(PORTS, protocol)

function readCredentials(
  url: URL,
  file: string | undefined,
  problems: string[]
): MailSettings['credentials'] {
  if (file) {
    if (url.username !== '' || url.password !== '') {
      problems.push('CONSILIUM_SMTP_CREDENTIALS_FILE and credentials in CONSILIUM_SMTP_URL: one.')
    }
    try {
      if ((statSync(file).mode & 0o077) !== 0) {
        problems.push('CONSILIUM_SMTP_CREDENTIALS_FILE can be read by others: chmod 600 it.')
      }
    } catch {
      problems.push('CONSILIUM_SMTP_CREDENTIALS_FILE names no file that can be read.')
    }
    return { file }
  }
  if (url.username === '') return undefined
  try {
    return { user: decodeURIComponent(url.username), pass: decodeURIComponent(url.password) }
  } catch {
    problems.push('The credentials in CONSILIUM_SMTP_URL must be percent-encoded.')
    return undefined
  }
}

/** `Name <address>` or an address; the name is plain text of one line. */
function readSender(text: string): MailSettings['from'] | undefined {
  const [, name = '', bracketed] = /^([^<>]*)<([^<>]+)>$/.exec(text.trim()) ?? []
  const address = readEmailAddress(bracketed ?? text)
  const plain = name.trim().replace(/^"(.*)"$/, '$1')
  const isName = plain.length <= NAME_CHARACTERS_MAX && !/[\p{Cc}"\\]/u.test(plain)
  return address === undefined || !isName ? undefined : { name: plain, address }
}

/**
 * Networks to which webhooks may go although they are not public, as address or CIDR range. What is
 * wrong is added to `problems`: nothing may name the addresses by which a machine of a cloud is told
 * its credentials, nor groups of machines.
 */
export function readWebhookNetworks(env: Env, problems: string[]): string[] {
  const ranges = list(env['CONSILIUM_WEBHOOK_NETWORKS'])
  for (const range of ranges) {
    const [address = '', bits = '128'] = range.split('/')
    if (!isRange(range) || Number(bits) < PREFIX_BITS_MIN) {
      problems.push(`${range} is not an IP address or CIDR range (CONSILIUM_WEBHOOK_NETWORKS).`)
    } else if (isNever(address)) {
      problems.push(`CONSILIUM_WEBHOOK_NETWORKS must not name ${range}.`)
    }
  }
  return ranges
}

function isNever(address: string): boolean {
  const never = new BlockList()
  never.addSubnet('169.254.0.0', 16)
  never.addSubnet('224.0.0.0', 3)
  never.addSubnet('fe80::', 10, 'ipv6')
  never.addSubnet('ff00::', 8, 'ipv6')
  return never.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4')
}
