import { lookup } from 'node:dns/promises'
import { BlockList, isIP } from 'node:net'

/** Where a request may go: the address it was checked for, and no other. */
export interface Target {
  url: URL
  address: string
}

/** All addresses of a name, as the system knows them. */
export type Resolve = (host: string) => Promise<string[]>

/** Why a webhook may not, or cannot, be sent to an address. */
export class TargetError extends Error {
  readonly code: 'target-refused' | 'target-unknown'

  constructor(code: TargetError['code']) {
    super(code === 'target-refused' ? 'The address is not public.' : 'The name has no address.')
    this.name = 'TargetError'
    this.code = code
  }
}

export interface Targets {
  /**
   * Looks the name up and checks every address that it has. The one in the answer must be connected
   * to as it is: to look the name up again would be to let whoever runs its DNS answer otherwise.
   * Throws TargetError.
   */
  check(url: URL): Promise<Target>
  /** What is wrong with the form of an address, as a sentence, or undefined. */
  problemOf(text: string): string | undefined
}

const PORT_MIN = 1024
const HTTPS_PORT = 443

/**
 * IANA IPv4 Special-Purpose Address Registry (RFC 6890): all that is not one host on the public
 * internet, and the one public address at which a cloud (Azure) tells its machines their secrets.
 */
const NOT_PUBLIC_V4: [string, number][] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.31.196.0', 24],
  ['192.52.193.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['192.175.48.0', 24],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 3],
  ['168.63.129.16', 32]
]
/**
 * In IPv6 only 2000::/3 is given out at all (RFC 4291, section 2.4). Of it these lead elsewhere:
 * protocol assignments with Teredo and ORCHID, documentation, and 6to4, which holds an IPv4 address.
 */
const GLOBAL_V6: [string, number] = ['2000::', 3]
const NOT_PUBLIC_V6: [string, number][] = [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['2620:4f:8000::', 48],
  ['3fff::', 20]
]

/**
 * What no setting of the operator's allows: where clouds tell a machine its credentials, link-local
 * (RFC 3927; RFC 4291, section 2.5.6), and groups of machines.
 */
const NEVER_V4: [string, number][] = [
  ['0.0.0.0', 8],
  ['100.100.100.200', 32],
  ['168.63.129.16', 32],
  ['169.254.0.0', 16],
  ['192.0.0.192', 32],
  ['224.0.0.0', 3]
]
const NEVER_V6: [string, number][] = [
  ['fd00:ec2::254', 128],
  ['fe80::', 10],
  ['ff00::', 8]
]

function blockList(v4: [string, number][], v6: [string, number][]): BlockList {
  const list = new BlockList()
  for (const [network, bits] of v4) list.addSubnet(network, bits, 'ipv4')
  for (const [network, bits] of v6) list.addSubnet(network, bits, 'ipv6')
  return list
}

const notPublic = blockList(NOT_PUBLIC_V4, NOT_PUBLIC_V6)
const global = blockList([], [GLOBAL_V6])
const never = blockList(NEVER_V4, NEVER_V6)

const isIn = (list: BlockList, address: string): boolean =>
  isIP(address) !== 0 && list.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4')

/**
 * Whether an address is that of one host on the public internet. A form of IPv6 in which an IPv4
 * address is hidden (mapped, NAT64, 6to4) is not.
 */
export function isPublicAddress(address: string): boolean {
  const family = isIP(address)
  if (family === 4) return !notPublic.check(address, 'ipv4')
  if (family !== 6 || address.includes('%')) return false
  return global.check(address, 'ipv6') && !notPublic.check(address, 'ipv6')
}

const systemResolve: Resolve = async host => {
  const found = await lookup(host, { all: true, verbatim: true })
  return found.map(({ address }) => address)
}

/**
 * Guards against requests that a stranger aims at what only we can reach. `networks` are those that
 * the operator allows besides the public internet; on loopback they also allow plain http.
 */
export function openTargets(networks: string[], resolve: Resolve = systemResolve): Targets {
  const allowed = new BlockList()
  for (const range of networks) {
    const [network = '', bits] = range.split('/')
    const isV6 = isIP(network) === 6
    allowed.addSubnet(network, Number(bits ?? (isV6 ? 128 : 32)), isV6 ? 'ipv6' : 'ipv4')
  }
  const isAllowed = (address: string) => isIn(allowed, address) && !isIn(never, address)
  const mayGo = (address: string) => isPublicAddress(address) || isAllowed(address)

  return {
    async check(url) {
      const host = hostOf(url)
      const addresses =
        isIP(host) === 0
          ? await resolve(host).catch(() => {
              throw new TargetError('target-unknown')
            })
          : [host]
      const [address] = addresses
      if (address === undefined) throw new TargetError('target-unknown')
      // One that is refused among many is how a name is made to lead somewhere else next time.
      if (!addresses.every(mayGo)) throw new TargetError('target-refused')
      if (url.protocol === 'http:' && !addresses.every(isLoopback)) {
        throw new TargetError('target-refused')
      }
      return { url, address }
    },
    problemOf(text) {
      const url = URL.canParse(text) ? new URL(text) : undefined
      if (url === undefined) return 'url: it is not an address.'
      const host = hostOf(url)
      const isHere = isLoopback(host) && isAllowed(host)
      if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isHere)) {
        return 'url: it must begin with https://.'
      }
      if (url.username !== '' || url.password !== '' || url.hash !== '') {
        return 'url: it must hold no user, password or fragment.'
      }
      const port = Number(url.port || HTTPS_PORT)
      if (port !== HTTPS_PORT && port < PORT_MIN && !isHere) {
        return `url: its port must be ${HTTPS_PORT} or at least ${PORT_MIN}.`
      }
      return undefined
    }
  }
}

/** The host without the brackets of an IPv6 address. */
export const hostOf = (url: URL): string => url.hostname.replace(/^\[|\]$/g, '')

const isLoopback = (address: string): boolean => address === '::1' || /^127\./.test(address)
