import t from 'tap'
import { Refusal } from '../../src/errors.ts'
import { scanRound } from '../../src/records/scan/background.ts'
import { createCase, startExchange, uploadRecord } from '../helpers/exchange.ts'
import { scriptedClamd } from '../helpers/scripted-clamd.ts'
import { file, objectRows, readRecord, scanNow } from '../records/scan/scene.ts'
import { assertSound, blobFiles } from './soundness.ts'

const MARKER = 'whimbrel-in-clear'
const clean = file('clean.txt', `${MARKER}\n`)
const infected = file('infected.txt', `${MARKER} infected\n`)

/** Answers by what is in the file. */
const byContent = (content: Buffer) =>
  content.includes('infected') ? 'stream: Test.X FOUND\0' : 'stream: OK\0'

t.test('every write of the background scan: failed, and failed but stored', async t => {
  const clamd = await scriptedClamd(t)
  for (const end of ['failed', 'stored'] as const) {
    // Begun and verdict of two objects, and that the blob of one is gone.
    for (let nth = 1; nth <= 5; nth += 1) {
      await t.test(`write ${nth} ${end}`, async t => {
        const x = await startExchange(t, { env: { CONSILIUM_CLAMD: clamd.address } })
        clamd.script = { reply: 'stream: no ERROR\0' }
        const { id: caseId } = await createCase(x.client('clinician'))
        const { id } = await uploadRecord(x.client('clinician'), caseId, {
          files: [clean, infected]
        })
        clamd.script = { replyTo: byContent }
        const { write } = x.exchange.database
        let writes = 0
        // Of the scan alone: the tree of the log writes whenever it has the time.
        const database: typeof x.exchange.database = Object.create(x.exchange.database, {
          write: {
            value: async (work: Parameters<typeof write>[0]) => {
              writes += 1
              if (writes !== nth) return write(work)
              if (end === 'stored') await write(work)
              throw new Refusal('storage-unavailable', 'fault test')
            }
          }
        })
        const { audit } = x.exchange
        const add: typeof audit.add = event => database.write(tx => audit.append(tx, event))
        const scanning = scanRound({ ...x.exchange, database, audit: { ...audit, add } })
        await t.rejects(scanning, { code: 'storage-unavailable' })
        await x.restart()
        await scanNow(x)
        t.equal(await scanNow(x), 0)
        t.match(await readRecord(x, id), {
          quarantine: 'held',
          objects: [{ scan: 'clean' }, { scan: 'infected', scanSignature: 'Test.X' }]
        })
        t.equal(blobFiles(x.directory).length, 1)
        const ends = (await x.auditEvents({ action: 'object.scan' })).filter(
          ({ details }) => details['stage'] === 'ended'
        )
        t.same(ends.map(({ outcome }) => outcome).sort(), ['refused', 'success'], 'told once each')
        await assertSound(t, x, [MARKER])
      })
    }
  }
})

t.test('what the scanner is sent, and what it says, is nowhere in clear', async t => {
  const clamd = await scriptedClamd(t)
  clamd.script = { replyTo: byContent }
  const x = await startExchange(t, { env: { CONSILIUM_CLAMD: clamd.address } })
  const { id: caseId } = await createCase(x.client('clinician'))
  await uploadRecord(x.client('clinician'), caseId, { files: [clean] })
  t.equal((await objectRows(x)).length, 1)
  t.notMatch(x.logged(), MARKER)
  await assertSound(t, x, [MARKER])
})
