import { isIPv6 } from 'node:net'

const SECOND_MILLISECONDS = 1000

/** Networks remembered at once. Beyond it the one that was quiet the longest is forgotten. */
const NETWORKS_MAX = 50_000

export interface RequestLimiter {
  /** Takes one request of this address: 0 when it may go on, else the seconds it should wait. */
  take(address: string): number
}

interface Bucket {
  tokens: number
  at: number
}

/**
 * A bucket of `burstMax` requests for each network, filled again by `perSecondMax` a second. A bucket
 * that is forgotten was full by then, unless more networks than are remembered ask within the time in
 * which one fills.
 */
export function requestLimiter(
  perSecondMax: number,
  burstMax: number,
  clock: () => number
): RequestLimiter {
  // In the order in which they asked last.
  const buckets = new Map<string, Bucket>()
  return {
    take(address) {
      const now = clock()
      const network = networkOf(address)
      const { tokens, at } = buckets.get(network) ?? { tokens: burstMax, at: now }
      const filled = (Math.max(0, now - at) / SECOND_MILLISECONDS) * perSecondMax
      const there = Math.min(burstMax, tokens + filled)
      const isAllowed = there >= 1
      buckets.delete(network)
      buckets.set(network, { tokens: isAllowed ? there - 1 : there, at: now })
      const [oldest] = buckets.keys()
      if (buckets.size > NETWORKS_MAX && oldest !== undefined) buckets.delete(oldest)
      return isAllowed ? 0 : Math.ceil((1 - there) / perSecondMax)
    }
  }
}

/**
 * Whom an address belongs to: an IPv4 address by itself, an IPv6 address by its first 64 bits, as one
 * machine has all addresses below these (RFC 4291, section 2.5.4).
 */
export function networkOf(address: string): string {
  const [plain = ''] = address.split('%')
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(plain)
  if (mapped?.[1] !== undefined) return mapped[1]
  if (!isIPv6(plain)) return plain
  const [head = '', tail] = plain.toLowerCase().split('::')
  const groups = head === '' ? [] : head.split(':')
  // Groups left out in the middle are zeros. An IPv4 tail stands for two groups.
  const after = tail === undefined || tail === '' ? [] : tail.split(':')
  const afterCount = after.length + (tail?.includes('.') ? 1 : 0)
  const zeros = tail === undefined ? 0 : 8 - groups.length - afterCount
  const all = [...groups, ...new Array<string>(Math.max(0, zeros)).fill('0'), ...after]
  const first = all.slice(0, 4).map(group => Number.parseInt(group, 16).toString(16))
  return `${first.join(':')}::/64`
}
