import t from 'tap'
import { type Screen, shown, showProgress } from '../../src/sender/progress.ts'

const MIB = 1024 ** 2

/** What is written to a screen, under a clock of the test's own. */
function watched(isTerminal: boolean) {
  const written: string[] = []
  let now = 0
  const screen: Screen = { isTerminal, columns: 80, write: text => void written.push(text) }
  const progress = showProgress(screen, () => now)
  const pass = (milliseconds: number) => {
    now += milliseconds
  }
  return { written, progress, pass }
}

t.test('a terminal has one line, with the rate and the time left', async t => {
  const { written, progress, pass } = watched(true)
  progress.expect(10, 100 * MIB)
  for (let i = 0; i < 5; i += 1) {
    pass(1000)
    progress.moved(2 * MIB)
  }
  t.equal(written.at(-1), '0 of 10 files, 10 of 100 MiB, 2.0 MiB/s, 45 s left')
  t.equal(written.filter(text => text === '\r\u001b[K').length, 4, 'each replaces the one before')
  pass(10)
  progress.fileDone()
  t.equal(written.length, 9, 'and not more often than it can be read')
  progress.say('Trying again in 2 s.')
  t.same(written.slice(-2), ['\r\u001b[K', 'Trying again in 2 s.\n'])
})

t.test('a file or a pipe has plain lines, and few', async t => {
  const { written, progress, pass } = watched(false)
  progress.expect(2, 40_000 * MIB)
  for (let i = 0; i < 20; i += 1) {
    pass(1000)
    progress.moved(MIB)
  }
  t.equal(written.length, 2)
  t.match(written[0], /^0 of 2 files, 10 of 40000 MiB, 1\.0 MiB\/s, 11 h 07 min left\n$/)
  progress.end()
  t.equal(written.length, 2)
})

t.test('the rate is that of the last seconds, and what did not count is taken back', async t => {
  const { written, progress, pass } = watched(true)
  progress.expect(1, 1000 * MIB)
  pass(1000)
  progress.moved(500 * MIB)
  for (let i = 0; i < 20; i += 1) {
    pass(1000)
    progress.moved(0)
  }
  t.match(written.at(-1), /500 of 1000 MiB, 0\.0 MiB\/s, an unknown time left/)
  pass(1000)
  progress.moved(-600 * MIB)
  t.match(written.at(-1), /, 0\.0 of 1000 MiB/)
})

t.test('a name shows nothing that a terminal acts on', async t => {
  t.equal(shown('a\u001b[2Jb\u202ec\nd名'), 'a\\u{1b}[2Jb\\u{202e}c\\u{a}d名')
})
