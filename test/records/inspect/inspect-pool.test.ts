import t from 'tap'
import { createInspectPool } from '../../../src/records/inspect/inspect-pool.ts'
import { madeScan } from '../../helpers/made-dicom.ts'
import { tiff } from './made-files.ts'

const whole = (bytes: Buffer) => ({
  bytes: bytes.length,
  read: async (position: number, length: number) => bytes.subarray(position, position + length)
})
const scan = madeScan({ name: 'WREN^Robert' })
const none = () => new Uint8Array(0)
/** Its head is given away, so there is a new one each time. */
const honest = () =>
  ({ type: 'application/dicom', head: new Uint8Array(scan), source: whole(scan) }) as const
const never = { bytes: 1e6, read: () => new Promise<Buffer>(() => {}) }

/** Ends within a second, and would take a minute. */
const slow = Buffer.concat([
  Buffer.from('%PDF-1.7\n'),
  Buffer.alloc(30 * 1024 ** 2, '1 0 obj /Type /Page /#4A#53 stream\n')
])

t.test('a file that takes too long is stopped, and the next gets a new worker', async t => {
  const log = { error: () => t.fail('no fault of ours') }
  const hasty = createInspectPool({ millisecondsMax: 16, log })
  t.teardown(() => hasty.close())
  for (const _ of [1, 2, 3]) {
    t.match(await hasty.inspect({ type: 'application/pdf', head: none(), source: whole(slow) }), {
      notes: [{ code: 'inspection-stopped' }]
    })
  }
})

t.test('a closed pool answers whoever waits, and whoever comes', async t => {
  const pool = createInspectPool()
  const stuck = { type: 'application/dicom', head: none(), source: never } as const
  const both = [pool.inspect(stuck), pool.inspect(honest())]
  await new Promise(resolve => setTimeout(resolve, 50))
  await pool.close()
  for (const answer of [...both, pool.inspect(honest())]) {
    t.match(await answer, { notes: [{ code: 'inspection-stopped' }] })
  }
})

t.test('what is not in the head is fetched, and a failure to fetch it is told', async t => {
  const pool = createInspectPool()
  t.teardown(() => pool.close())
  const reads: [number, number][] = []
  const source = {
    bytes: scan.length,
    read: async (position: number, length: number) => {
      reads.push([position, length])
      return scan.subarray(position, position + length)
    }
  }
  const summary = await pool.inspect({
    ...honest(),
    head: new Uint8Array(scan.subarray(0, 40)),
    source
  })
  t.match(summary, { dicom: { modality: 'CT' } })
  t.same(reads, [[0, scan.length]])
  const fault = new Error('The disk is gone.')
  const broken = { bytes: scan.length, read: () => Promise.reject(fault) }
  await t.rejects(pool.inspect({ ...honest(), head: none(), source: broken }), fault)
  t.match(await pool.inspect(honest()), { dicom: {} }, 'and the next is looked into')
})

t.test('a refusal comes back as one, and what has no inside costs no thread', async t => {
  const pool = createInspectPool()
  t.teardown(() => pool.close())
  const cut = scan.subarray(0, -6)
  const file = { type: 'application/dicom', head: new Uint8Array(cut), source: whole(cut) } as const
  await t.rejects(pool.inspect(file), { code: 'file-truncated' })
  const slide = tiff({ little: true, big: false })
  t.match(
    await pool.inspect({ type: 'image/tiff', head: new Uint8Array(slide), source: whole(slide) }),
    {
      slide: { label: false }
    }
  )
  t.same(await pool.inspect({ type: 'text/plain', head: none(), source: never }), {
    notes: []
  })
})
