import { spawn } from 'node:child_process'
import { createHash, createSecretKey, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { setTimeout } from 'node:timers/promises'
import type { Worker } from 'node:worker_threads'
import t, { type Test } from 'tap'
import { createSealPool, type SealJob, type SealPool } from '../../src/sealing/seal-pool.ts'
import { sealedBytes } from '../../src/sealing/stream.ts'
import { openWhole } from './whole.ts'

const MIB = 1_048_576
const key = randomBytes(32)
const context = Buffer.from('what the object is')

t.test('an object opens to what was written, with its true length and digest', async t => {
  const pool = openPool(t)
  for (const [length, pieceBytes] of [
    [0, 1],
    [1, 1],
    [16_384, 5_000],
    [32_768, 32_768],
    [100_000, 999],
    [3 * MIB + 1, 65_536],
    [5 * MIB, 300_000]
  ] as const) {
    const plain = randomBytes(length)
    const { blob, sealed } = await sealAll(pool, plain, pieceBytes)
    t.equal(sealed.bytes, length)
    t.ok(sealed.sha256.equals(createHash('sha256').update(plain).digest()))
    t.equal(blob.byteLength, sealedBytes(length))
    t.ok(openWhole({ inputKey: key, context, plainLength: length }, blob).equals(plain))
  }
})

t.test('output comes in buffers of 1 MiB and a last one that is shorter', async t => {
  const pool = openPool(t)
  const job = pool.seal({ key, context })
  const sizes: number[] = []
  const reading = read(job, buffer => sizes.push(buffer.byteLength))
  await writeAll(job, randomBytes(2 * MIB + 5), 65_536)
  await job.end()
  await reading
  t.same(sizes, [MIB, MIB, sealedBytes(2 * MIB + 5) - 2 * MIB])
})

t.test('pieces that own their memory move away, others are copied', async t => {
  const pool = openPool(t)
  const job = pool.seal({ key, context })
  const read = collect(job)
  const whole = Buffer.alloc(70_000, 'a')
  const own = Buffer.from(new Uint8Array(whole).buffer)
  await job.write(own)
  t.equal(own.byteLength, 0, 'moved')
  await t.rejects(job.write(own), TypeError, 'and cannot be written again')
  const shared = Buffer.alloc(50_000, 'b')
  for (const part of [shared.subarray(0, 40_000), shared.subarray(40_000)]) {
    await job.write(part)
  }
  shared.fill('c')
  t.equal(shared.byteLength, 50_000, 'copied')
  const inSharedMemory = Buffer.from(new SharedArrayBuffer(10)).fill('d')
  await job.write(inSharedMemory)
  await job.write(Buffer.alloc(0))
  await job.end()
  const plain = openWhole({ inputKey: key, context }, await read)
  const expected = `${'a'.repeat(70_000)}${'b'.repeat(50_000)}${'d'.repeat(10)}`
  t.ok(plain.equals(Buffer.from(expected)))
})

t.test('a KeyObject seals as its bytes do, and the caller keeps its key', async t => {
  const pool = openPool(t)
  const kept = Buffer.from(key)
  const job = pool.seal({ key: createSecretKey(kept), context })
  const read = collect(job)
  await job.write(Buffer.from('letter'))
  await job.end()
  t.equal(openWhole({ inputKey: key, context }, await read).toString(), 'letter')
  t.ok(kept.equals(key))
  t.throws(() => pool.seal({ key: Buffer.alloc(31), context }), RangeError)
})

t.test('many jobs at once, on one worker and on several, do not mix', async t => {
  for (const workers of [1, 2]) {
    const pool = openPool(t, workers)
    const plains = Array.from({ length: 24 }, (_, i) => randomBytes(1 + i * 50_001))
    const done = await Promise.all(plains.map(plain => sealAll(pool, plain, 10_007)))
    for (const [i, { blob, sealed }] of done.entries()) {
      t.equal(sealed.bytes, plains[i]?.byteLength)
      t.same(openWhole({ inputKey: key, context }, blob), plains[i])
    }
  }
})

t.test('writing waits for a reader that stalls, and goes on when it does', async t => {
  const pool = openPool(t)
  const job = pool.seal({ key, context })
  const total = 32 * MIB
  let accepted = 0
  const writing = (async () => {
    for (; accepted < total; accepted += 65_536) await job.write(Buffer.alloc(65_536))
    return job.end()
  })()
  await setTimeout(300)
  t.ok(accepted < 7 * MIB, `${accepted} bytes were accepted`)

  const { value: first } = await job.output.next()
  await setTimeout(100)
  t.ok(accepted < 8 * MIB, 'one buffer taken makes room for about one')
  let bytes = first.byteLength
  await read(job, buffer => {
    bytes += buffer.byteLength
  })
  t.equal((await writing).bytes, total)
  t.equal(bytes, sealedBytes(total))
})

t.test('an output buffer given back is used again, once', async t => {
  const pool = openPool(t)
  const job = pool.seal({ key, context })
  const firsts: Buffer[] = []
  const reading = read(job, buffer => {
    if (firsts.length < 2) firsts.push(buffer)
    job.recycle(buffer)
    job.recycle(buffer)
    job.recycle(Buffer.alloc(MIB))
  })
  await writeAll(job, randomBytes(40 * MIB), 65_536)
  await job.end()
  await reading
  t.ok(
    firsts.every(buffer => buffer.byteLength === 0),
    'it went back to the worker'
  )
})

t.test('an aborted job refuses everything and its worker goes on', async t => {
  const pool = openPool(t)
  const aborted = { code: 'sealing-aborted' }
  const job = pool.seal({ key, context })
  const next = job.output.next()
  await writeAll(job, randomBytes(2 * MIB), 65_536)
  await next
  const pending = job.output.next()
  job.abort()
  job.abort()
  await t.rejects(pending, aborted)
  await t.rejects(job.write(Buffer.alloc(1)), aborted)
  await t.rejects(job.end(), aborted)
  await t.rejects(job.output.next(), aborted)

  const unstarted = pool.seal({ key, context })
  unstarted.abort()
  await t.rejects(unstarted.end(), aborted)

  const plain = randomBytes(100_000)
  t.ok(
    openWhole({ inputKey: key, context }, (await sealAll(pool, plain, 1_000)).blob).equals(plain)
  )
})

t.test('an abort releases a writer that waits', async t => {
  const pool = openPool(t)
  const job = pool.seal({ key, context })
  const writing = writeAll(job, Buffer.alloc(32 * MIB), 65_536)
  await setTimeout(100)
  job.abort()
  await t.rejects(writing, { code: 'sealing-aborted' })
})

t.test('a reader that leaves early aborts the job', async t => {
  const pool = openPool(t)
  const job = pool.seal({ key, context })
  const writing = writeAll(job, Buffer.alloc(32 * MIB), 65_536)
  for await (const _ of job.output) break
  await t.rejects(writing, { code: 'sealing-aborted' })
})

t.test('aborting after the end changes nothing', async t => {
  const pool = openPool(t)
  const job = pool.seal({ key, context })
  const read = collect(job)
  await job.write(Buffer.from('letter'))
  const ended = job.end()
  t.equal(job.end(), ended, 'ending twice is ending once')
  await t.rejects(job.write(Buffer.from('more')), /has ended/)
  await ended
  await read
  job.abort()
  t.same(await job.output.next(), { done: true, value: undefined })
  t.equal((await job.end()).bytes, 6)
})

t.test('a worker that crashes fails its jobs and is replaced', async t => {
  const stopped = { code: 'sealing-stopped' }
  for (const crash of [
    // The worker throws on a message without the expected fields.
    async (worker: Worker) => worker.postMessage({}),
    (worker: Worker) => worker.terminate()
  ]) {
    const started = once(process, 'worker')
    const pool = openPool(t)
    const jobs = [pool.seal({ key, context }), pool.seal({ key, context })]
    const [worker] = (await started) as [Worker]
    const outputs = jobs.map(job => job.output.next())
    for (const job of jobs) await job.write(randomBytes(300_000))
    const gone = new Promise(resolve => worker.once('exit', resolve))
    await crash(worker)
    for (const output of outputs) await t.rejects(output, stopped)
    for (const job of jobs) await t.rejects(job.write(Buffer.alloc(1)), stopped)
    for (const job of jobs) await t.rejects(job.end(), stopped)
    await gone
    t.equal((await sealAll(pool, randomBytes(100), 10)).sealed.bytes, 100)
  }
})

t.test('an idle pool lets the process end, and nothing is printed', async t => {
  const module = new URL('../../src/sealing/seal-pool.ts', import.meta.url)
  const script = `
    import { createSealPool } from '${module}'
    createSealPool()
    const job = createSealPool().seal({ key: Buffer.alloc(32), context: Buffer.alloc(0) })
    await Promise.all([Array.fromAsync(job.output), job.end()])
  `
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script])
  const printed: Buffer[] = []
  for (const stream of [child.stdout, child.stderr]) stream.on('data', data => printed.push(data))
  const [code] = await once(child, 'close')
  t.equal(code, 0)
  t.equal(Buffer.concat(printed).toString(), '')
})

t.test('closing the pool fails what is under way, and it seals no more', async t => {
  const pool = createSealPool()
  const job = pool.seal({ key, context })
  await job.write(randomBytes(300_000))
  await pool.close()
  await pool.close()
  await t.rejects(job.end(), { code: 'sealing-stopped' })
  t.throws(() => pool.seal({ key, context }), { code: 'sealing-stopped' })
})

function openPool(t: Test, workers = 1): SealPool {
  const pool = createSealPool({ workers })
  t.teardown(() => pool.close())
  return pool
}

async function writeAll(job: SealJob, plain: Buffer, pieceBytes: number): Promise<void> {
  for (let at = 0; at < plain.byteLength; at += pieceBytes) {
    // Copied, because the job takes a piece away together with its memory.
    await job.write(Buffer.from(plain.subarray(at, at + pieceBytes)))
  }
}

async function read(job: SealJob, take: (buffer: Buffer) => void): Promise<void> {
  for await (const buffer of job.output) take(buffer)
}

async function collect(job: SealJob): Promise<Buffer> {
  const parts: Buffer[] = []
  await read(job, buffer => {
    parts.push(Buffer.from(buffer))
    job.recycle(buffer)
  })
  return Buffer.concat(parts)
}

async function sealAll(pool: SealPool, plain: Buffer, pieceBytes: number) {
  const job = pool.seal({ key, context })
  const collecting = collect(job)
  await writeAll(job, plain, pieceBytes)
  const sealed = await job.end()
  return { sealed, blob: await collecting }
}
