import t from 'tap'
import { ConfigError, readConfig } from '../src/config.ts'

function problemsOf(env: Record<string, string>): string {
  try {
    readConfig(env)
    return ''
  } catch (err) {
    if (!(err instanceof ConfigError)) throw err
    return err.message
  }
}

t.test('without an address there is no scanner', async t => {
  t.equal(readConfig({}).scan, undefined)
  t.equal(readConfig({ CONSILIUM_CLAMD: '' }).scan, undefined)
  for (const name of ['CONSILIUM_UNSCANNED', 'CONSILIUM_SCAN_BYTES_MAX']) {
    const value = name === 'CONSILIUM_UNSCANNED' ? 'refuse' : '1000'
    t.match(problemsOf({ [name]: value }), `${name} without CONSILIUM_CLAMD`)
  }
})

t.test('a unix socket, or a port of this machine', async t => {
  const at = (CONSILIUM_CLAMD: string) => readConfig({ CONSILIUM_CLAMD }).scan?.clamd
  t.same(at('/run/clamav/clamd.ctl'), { path: '/run/clamav/clamd.ctl' })
  t.same(at('127.0.0.1:3310'), { host: '127.0.0.1', port: 3310 })
  t.same(at('localhost:3310'), { host: 'localhost', port: 3310 })
  t.same(at('[::1]:3310'), { host: '::1', port: 3310 })
  t.match(readConfig({ CONSILIUM_CLAMD: '/s' }).scan, {
    bytesMax: 2000 * 1024 ** 2,
    secondsMax: 300,
    connectionsMax: 8,
    waitMinutesMax: 60,
    unscanned: 'structured'
  })
})

t.test('no other machine: clamd gets content in clear', async t => {
  for (const other of ['10.0.0.5:3310', 'clamd.example.org:3310', '[2001:db8::1]:3310']) {
    t.match(problemsOf({ CONSILIUM_CLAMD: other }), /must be on this machine/, other)
  }
  for (const wrong of [
    'clamd',
    '127.0.0.1',
    '127.0.0.1:0',
    '127.0.0.1:99999',
    ':3310',
    '::1:3310'
  ]) {
    t.match(problemsOf({ CONSILIUM_CLAMD: wrong }), /CONSILIUM_CLAMD must be/, wrong)
  }
})

t.test('settings that would be wrong', async t => {
  const clamd = { CONSILIUM_CLAMD: '/s' }
  t.match(
    problemsOf({ ...clamd, CONSILIUM_UNSCANNED: 'yes' }),
    /one of refuse, structured, release/
  )
  t.match(
    problemsOf({ ...clamd, CONSILIUM_SCAN_BYTES_MAX: String(2 ** 31) }),
    /CONSILIUM_SCAN_BYTES_MAX must be a whole number from 1 to 2147483647/,
    'more than clamd can ever scan'
  )
  t.match(problemsOf({ ...clamd, CONSILIUM_SCAN_CONNECTIONS_MAX: '1' }), /from 2 to 1000/)
})
