import type { ClamdAddress } from './records/scan/clamd.ts'

const MIB = 1024 ** 2
/** clamd takes no file of 2 GiB or more, whatever it is told (clamd.conf(5), MaxFileSize). */
const CLAMD_BYTES_MAX = 2048 * MIB - 1
const BYTES_DEFAULT = 2000 * MIB
const LOOPBACK = new Set(['127.0.0.1', '::1', 'localhost'])

export const unscannedPolicies = ['refuse', 'structured', 'release'] as const
export type UnscannedPolicy = (typeof unscannedPolicies)[number]

/** The malware scanner. */
export interface ScanSettings {
  clamd: ClamdAddress
  /** A larger file is not scanned. */
  bytesMax: number
  /** How long clamd may take over one file once it has it. */
  secondsMax: number
  /** Files with clamd at once: below its MaxThreads, which others may need too. */
  connectionsMax: number
  /** For how long a scanner that is down keeps records from being shared, whatever they are. */
  waitMinutesMax: number
  /** What may be shared although it could not be scanned. */
  unscanned: UnscannedPolicy
}

type Env = Record<string, string | undefined>
type ReadNumber = (name: string, fallback: number, min: number, max: number) => number

/** Reads the settings of the scanner, undefined when there is none. Adds to `problems`. */
export function readScan(
  env: Env,
  number: ReadNumber,
  problems: string[]
): ScanSettings | undefined {
  const text = env['CONSILIUM_CLAMD']
  const unscanned = env['CONSILIUM_UNSCANNED'] || 'structured'
  const settings = {
    bytesMax: number('CONSILIUM_SCAN_BYTES_MAX', BYTES_DEFAULT, 1, CLAMD_BYTES_MAX),
    secondsMax: number('CONSILIUM_SCAN_SECONDS_MAX', 300, 1, 3600),
    connectionsMax: number('CONSILIUM_SCAN_CONNECTIONS_MAX', 8, 2, 1000),
    waitMinutesMax: number('CONSILIUM_SCAN_WAIT_MINUTES_MAX', 60, 1, 10_080)
  }
  if (!isPolicy(unscanned)) {
    problems.push(`CONSILIUM_UNSCANNED must be one of ${unscannedPolicies.join(', ')}.`)
  }
  if (!text) {
    const others = ['CONSILIUM_UNSCANNED', 'CONSILIUM_SCAN_BYTES_MAX'].filter(name => env[name])
    if (others.length > 0) {
      problems.push(`${others.join(', ')} without CONSILIUM_CLAMD: name the scanner as well.`)
    }
    return undefined
  }
  const clamd = readAddress(text, problems)
  if (clamd === undefined || !isPolicy(unscanned)) return undefined
  return Object.freeze({ clamd, ...settings, unscanned })
}

const isPolicy = (text: string): text is UnscannedPolicy =>
  (unscannedPolicies as readonly string[]).includes(text)

/** clamd knows neither TLS nor passwords, and gets every file in clear. */
function readAddress(text: string, problems: string[]): ClamdAddress | undefined {
  if (text.startsWith('/')) return { path: text }
  const [, bracketed, plain, digits] = /^(?:\[([^\]]+)\]|([^:\s]+)):(\d{1,5})$/.exec(text) ?? []
  const [host = bracketed, port] = [plain, Number(digits)]
  if (host === undefined || !(port >= 1 && port <= 65_535)) {
    problems.push(
      'CONSILIUM_CLAMD must be the path of a unix socket, or an address as 127.0.0.1:3310.'
    )
    return undefined
  }
  if (!LOOPBACK.has(host)) {
    problems.push(
      'CONSILIUM_CLAMD must be on this machine: clamd gets every file in clear and knows no TLS. Use its unix socket, or a TLS tunnel that ends on loopback.'
    )
    return undefined
  }
  return { host, port }
}
