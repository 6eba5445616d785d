import t from 'tap'
import { networkOf, requestLimiter } from '../../src/http/request-limiter.ts'

t.test('a bucket empties at once and fills in time', async t => {
  let now = 0
  const limiter = requestLimiter(10, 3, () => now)
  const take = (times: number) => Array.from({ length: times }, () => limiter.take('192.0.2.1'))
  t.same(take(5), [0, 0, 0, 1, 1])
  t.equal(limiter.take('192.0.2.2'), 0, 'another has its own')
  now += 99
  t.same(take(1), [1])
  now += 1
  t.same(take(2), [0, 1], 'what is refused costs nothing')
  now += 3_600_000
  t.same(take(4), [0, 0, 0, 1], 'and no bucket runs over')
  now -= 3_600_000
  t.same(take(1), [1], 'a clock that was put back neither fills nor empties it')
})

t.test('how long to wait is said', async t => {
  const limiter = requestLimiter(0.1, 1, () => 0)
  t.equal(limiter.take('192.0.2.1'), 0)
  t.equal(limiter.take('192.0.2.1'), 10)
})

t.test('a network is an IPv4 address, or 64 bits of an IPv6 address', async t => {
  const same = (...addresses: string[]) => t.equal(new Set(addresses.map(networkOf)).size, 1)
  same('192.0.2.1', '::ffff:192.0.2.1', '::FFFF:192.0.2.1')
  same('2001:db8::1', '2001:db8:0:0:ffff:ffff:ffff:ffff', '2001:0DB8::192.0.2.1', '2001:db8::')
  same('fe80::1%eth0', 'fe80::2%eth1')
  same('::1', '::', '::2:3:4:5')
  const other = ['2001:db8::1', '2001:db8:0:1::1', '2001:db8:1::1', '::1', '192.0.2.1', '192.0.2.2']
  t.equal(new Set(other.map(networkOf)).size, other.length)
})

t.test('a flood from many networks cannot fill the memory', async t => {
  const limiter = requestLimiter(1, 1, () => 0)
  limiter.take('first')
  for (let n = 0; n < 49_999; n += 1) limiter.take(`10.0.${n >> 8}.${n & 255}`)
  t.equal(limiter.take('first'), 1, 'so many are remembered')
  for (let n = 0; n < 50_000; n += 1) limiter.take(`10.1.${n >> 8}.${n & 255}`)
  t.equal(limiter.take('first'), 0, 'and the one that was quiet the longest is forgotten')
})
