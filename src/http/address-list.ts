import { BlockList, isIP } from 'node:net'

/** Tells whether an address is one of those named, alone (`10.0.0.7`) or in a range (`10.0.0.0/8`). */
export function addressList(ranges: string[]): (address: string | undefined) => boolean {
  const list = new BlockList()
  for (const range of ranges) {
    const [network = '', bits] = range.split('/')
    const isV6 = isIP(network) === 6
    list.addSubnet(network, Number(bits ?? (isV6 ? 128 : 32)), isV6 ? 'ipv6' : 'ipv4')
  }
  return address => {
    if (address === undefined) return false
    // A socket that listens for both families shows IPv4 callers in this form (RFC 4291, 2.5.5.2).
    const plain = address.replace(/^::ffff:(?=\d+\.)/, '')
    return isIP(plain) !== 0 && list.check(plain, isIP(plain) === 6 ? 'ipv6' : 'ipv4')
  }
}
