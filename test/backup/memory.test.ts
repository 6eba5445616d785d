import { once } from 'node:events'
import { readFileSync, statSync } from 'node:fs'
import t from 'tap'
import { numberedText, uploadRecord } from '../helpers/exchange.ts'
import { backupScene, settingsAt, startScript } from './scene.ts'

const FILE_BYTES = 50_000_000
/** Files that are added before each turn. */
const TURNS = [1, 3]
/** How much more the second turn may take, with 150 MB more to save. */
const GROWTH_MIB_MAX = 75

/** The most memory that a process has had in RAM, in MiB, and how it ended. */
async function measured(child: ReturnType<typeof startScript>) {
  let most = 0
  const timer = setInterval(() => {
    try {
      const status = readFileSync(`/proc/${child.pid}/status`, 'utf8')
      most = Math.max(most, Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) / 1024)
    } catch {
      // It has just ended.
    }
  }, 20)
  const [exit] = await once(child, 'exit')
  clearInterval(timer)
  return { exit, most: Math.round(most) }
}

t.test('memory does not grow with what is saved', async t => {
  if (process.platform !== 'linux') {
    t.pass('skipped: memory is read from /proc', { skip: 'memory is read from /proc' })
    return
  }
  const { service, caseId, path } = await backupScene(t)
  const most: { saved: number; restored: number }[] = []
  for (const [turn, files] of TURNS.entries()) {
    for (let n = 0; n < files; n += 1) {
      const record = { files: [numberedText(FILE_BYTES)] }
      await uploadRecord(service.client('clinician'), caseId, record)
    }
    const [file, id, directory] = [path(`${turn}.age`), path(`id${turn}`), path(`to${turn}`)]
    const to = ['--to', file, '--new-identity', id]
    const saved = await measured(startScript('backup', service.settings, ...to))
    t.equal(saved.exit, 0)
    t.ok(statSync(file).size > files * FILE_BYTES)
    const from = ['--from', file, '--identity', id, '--to-data', directory]
    const restored = await measured(startScript('restore', settingsAt(service, directory), ...from))
    t.equal(restored.exit, 0)
    t.comment(`at most ${saved.most} MiB to save, ${restored.most} MiB to restore`)
    most.push({ saved: saved.most, restored: restored.most })
  }
  const [little, much] = most
  if (little === undefined || much === undefined) throw new Error('There were two turns.')
  t.ok(much.saved - little.saved < GROWTH_MIB_MAX, 'to save')
  t.ok(much.restored - little.restored < GROWTH_MIB_MAX, 'to restore')
})
