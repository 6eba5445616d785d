import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { askClamd, openClamdStream } from '../../../src/records/scan/clamd.ts'
import type { Verdict } from '../../../src/records/scan/verdict.ts'
import { clamdServer, EICAR, MARKED } from '../../helpers/clamd-server.ts'
import { type Script, scriptedClamd } from '../../helpers/scripted-clamd.ts'

const DOWN: Verdict = { scan: 'not-scanned', reason: 'scanner-down' }
const LARGE: Verdict = { scan: 'not-scanned', reason: 'too-large' }
const LATE: Verdict = { scan: 'not-scanned', reason: 'timed-out' }

function scan(path: string, bytes: Buffer, seconds = 30, pieceBytes = 65_536): Promise<Verdict> {
  const stream = openClamdStream({ path }, seconds)
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    stream.write(bytes.subarray(at, at + pieceBytes), () => {})
  }
  return stream.end()
}

t.test('a real clamd: clean, infected, and over its limits', async t => {
  const clamd = await clamdServer(t, ['StreamMaxLength 4M', 'MaxFileSize 2M', 'MaxScanSize 2M'])
  if (clamd === undefined) return
  const found = (signature: string): Verdict => ({ scan: 'infected', signature })
  t.same(await scan(clamd.address, Buffer.from('A letter.')), { scan: 'clean' })
  t.same(await scan(clamd.address, EICAR), found('Test.EICAR.UNOFFICIAL'))
  const middle = Buffer.concat([randomBytes(600_000), MARKED, randomBytes(600_000)])
  t.same(await scan(clamd.address, middle), found('Test.Marked.UNOFFICIAL'))
  t.same(await scan(clamd.address, middle, 30, 7), found('Test.Marked.UNOFFICIAL'), 'in crumbs')
  const bytes = randomBytes(6_000_000)
  t.same(await scan(clamd.address, bytes.subarray(0, 3_000_000)), LARGE, 'too large to be scanned')
  const over = await scan(clamd.address, bytes)
  t.not(over.scan, 'clean', 'too large for its stream')
  t.equal(over.scan, 'not-scanned')
  t.equal(await askClamd({ path: clamd.address }, 'PING'), 'PONG')
  t.match(await askClamd({ path: clamd.address }, 'VERSION'), /^ClamAV \d/)
  await clamd.kill()
  t.same(await scan(clamd.address, EICAR), DOWN)
  await t.rejects(askClamd({ path: clamd.address }, 'PING'))
})

const wrong: Record<string, [Script, Verdict]> = {
  'an answer without its end': [{ reply: 'stream: OK' }, DOWN],
  'no answer': [{ reply: undefined as never }, DOWN],
  'another word': [{ reply: 'stream: FINE\0' }, DOWN],
  'a clean answer to something else': [{ reply: 'file: OK\0' }, DOWN],
  'two answers': [{ reply: 'stream: OK\0stream: OK\0' }, DOWN],
  'more behind it': [{ reply: 'stream: OK\0 ' }, DOWN],
  'clean, with more on the line': [{ reply: 'stream: OK OK\0' }, DOWN],
  'two lines': [{ reply: 'stream: OK\nstream: X FOUND\0' }, DOWN],
  'an endless answer': [{ reply: 'x'.repeat(1_000_000) }, DOWN],
  'an error': [{ reply: "stream: Can't allocate memory ERROR\0" }, DOWN],
  'found nothing': [{ reply: 'stream:  FOUND\0' }, DOWN],
  'the answer before the file': [{ reply: 'stream: OK\0', after: 100_000 }, DOWN],
  'a find before the file': [{ reply: 'stream: X FOUND\0', after: 100_000 }, DOWN],
  'its limit': [{ reply: 'INSTREAM size limit exceeded. ERROR\0' }, LARGE],
  'its limit, early': [{ reply: 'INSTREAM size limit exceeded. ERROR\0', after: 100_000 }, LARGE],
  'a limit as a find': [{ reply: 'stream: Heuristics.Limits.Exceeded.MaxFileSize FOUND\0' }, LARGE],
  'its time as a find': [{ reply: 'stream: Heuristics.Limits.Exceeded.MaxScanTime FOUND\0' }, LATE],
  'no answer in time': [{ stall: true }, LATE],
  'a name of odd characters': [
    { reply: 'stream: Win.<b>"x" FOUND\0' },
    { scan: 'infected', signature: 'Win.?b??x?' }
  ]
}

t.test('a clamd that answers wrongly has not scanned anything', async t => {
  for (const [what, [script, expected]] of Object.entries(wrong)) {
    const clamd = await scriptedClamd(t, script)
    t.same(await scan(clamd.address, randomBytes(300_000), 1), expected, what)
    await clamd.close()
  }
})

t.test('it gets the file as it is, and nobody waits for a clamd that is not there', async t => {
  const clamd = await scriptedClamd(t)
  const bytes = randomBytes(3_000_000)
  t.same(await scan(clamd.address, bytes, 30, 100_001), { scan: 'clean' })
  t.ok(clamd.streams[0]?.equals(bytes))
  t.same(await scan(join('/tmp', 'no-such-clamd'), bytes), DOWN)
  const stream = openClamdStream({ path: clamd.address }, 30)
  stream.write(bytes, () => {})
  stream.abort()
  t.same(await stream.end(), DOWN, 'given up')
  await untilClosed(t, clamd)
})

t.test('commands: an answer that is none', async t => {
  const clamd = await scriptedClamd(t)
  for (const pong of ['', 'PONG', 'PONG\0PONG\0']) {
    clamd.pong = pong
    await t.rejects(askClamd({ path: clamd.address }, 'PING'), pong)
  }
})

async function untilClosed(t: Test, clamd: { open: number }) {
  for (let n = 0; n < 100 && clamd.open > 0; n += 1) await new Promise(r => setTimeout(r, 20))
  t.equal(clamd.open, 0, 'no connection is left')
}
