import { randomBytes } from 'node:crypto'
import { issueReceipt } from '../../src/audit/receipt.ts'
import type { BlobEntry, Blobs } from '../../src/blobs/blobs.ts'
import { BlobError, newBlobName } from '../../src/blobs/blobs.ts'
import { eventually } from '../helpers/exchange.ts'
import { eachStore } from '../helpers/stores.ts'

const receipt = issueReceipt('event-of-the-conformance-suite')

export async function store(blobs: Blobs, ...parts: Buffer[]): Promise<string> {
  const writer = await blobs.create()
  for (const part of parts) await writer.write(part)
  await writer.commit()
  await blobs.sync([writer.name])
  return writer.name
}

export async function load(blobs: Blobs, name: string): Promise<Buffer> {
  const reader = await blobs.open(name, receipt)
  const whole = Buffer.alloc(reader.bytes)
  const bytes = await reader.read(whole, 0)
  await reader.close()
  return whole.subarray(0, bytes)
}

export async function entries(blobs: Blobs): Promise<BlobEntry[]> {
  const found: BlobEntry[] = []
  for await (const entry of blobs.list()) found.push(entry)
  return found
}

/** What `blobs.ts` promises, told to every kind of store. */
export function conformance(): void {
  eachStore('a committed blob reads back as it was written', async (t, { open }) => {
    const blobs = await open()
    const parts = [randomBytes(1 << 20), randomBytes(1), randomBytes(300_000)]
    const name = await store(blobs, ...parts)
    t.match(name, /^[0-9a-f]{32}$/)
    t.ok((await load(blobs, name)).equals(Buffer.concat(parts)))
    const later = await open()
    t.ok((await load(later, name)).equals(Buffer.concat(parts)), 'also in a later process')
  })

  eachStore('an empty blob is a blob', async (t, { open }) => {
    const blobs = await open()
    const name = await store(blobs)
    t.equal((await load(blobs, name)).length, 0)
  })

  eachStore('reads anywhere, and less only at the end', async (t, { open }) => {
    const blobs = await open()
    const bytes = randomBytes(100_000)
    const reader = await blobs.open(await store(blobs, bytes), receipt)
    t.equal(reader.bytes, bytes.length)
    const into = Buffer.alloc(16_400)
    for (const position of [0, 1, 16_400, bytes.length - 16_400, bytes.length - 1]) {
      const count = await reader.read(into, position)
      t.equal(count, Math.min(into.length, bytes.length - position))
      t.ok(into.subarray(0, count).equals(bytes.subarray(position, position + count)))
    }
    t.equal(await reader.read(into, bytes.length), 0)
    t.equal(await reader.read(into, bytes.length + 5), 0)
    for (const position of [-1, 0.5, Number.NaN]) {
      await t.rejects(reader.read(into, position), RangeError)
    }
    await reader.close()
  })

  eachStore('many reads of one blob at once do not disturb each other', async (t, { open }) => {
    const blobs = await open()
    const bytes = randomBytes(200_000)
    const reader = await blobs.open(await store(blobs, bytes), receipt)
    await Promise.all(
      Array.from({ length: 50 }, async (_, n) => {
        const into = Buffer.alloc(3000)
        const count = await reader.read(into, n * 3999)
        t.ok(into.subarray(0, count).equals(bytes.subarray(n * 3999, n * 3999 + count)))
      })
    )
    await reader.close()
  })

  eachStore('nothing is visible before commit', async (t, { open }) => {
    const blobs = await open()
    const writer = await blobs.create()
    await writer.write(randomBytes(5000))
    await t.rejects(blobs.open(writer.name, receipt), { code: 'blob-missing' })
    t.same(await entries(blobs), [])
    await writer.commit()
    t.equal((await load(blobs, writer.name)).length, 5000)
  })

  eachStore('a blob is final once committed', async (t, { open }) => {
    const blobs = await open()
    const writer = await blobs.create()
    await writer.write(Buffer.from('as it is'))
    await writer.commit()
    await t.rejects(writer.write(Buffer.from('more')), BlobError)
    await t.rejects(writer.commit(), BlobError)
    await writer.abort()
    t.equal((await load(blobs, writer.name)).toString(), 'as it is', 'abort came too late')
  })

  eachStore('an aborted blob leaves nothing', async (t, { open, traceBytes }) => {
    const blobs = await open()
    const writer = await blobs.create()
    await writer.write(Buffer.alloc(traceBytes, 'half'))
    await writer.abort()
    await writer.abort()
    await t.rejects(writer.write(Buffer.from('more')), BlobError)
    await t.rejects(writer.commit(), BlobError)
    t.same(await entries(blobs), [])
    t.equal(await (await open()).sweepUnfinished(), 0)
  })

  eachStore('a hundred writers at once get a hundred names', async (t, { open }) => {
    const blobs = await open()
    const bytes = Array.from({ length: 100 }, () => randomBytes(2000))
    const names = await Promise.all(bytes.map(part => store(blobs, part, part)))
    t.equal(new Set(names).size, 100)
    for (const [n, name] of names.entries()) {
      const part = bytes[n]
      t.ok(part && (await load(blobs, name)).equals(Buffer.concat([part, part])))
    }
    t.equal((await entries(blobs)).length, 100)
  })

  eachStore('lists committed blobs and nothing else', async (t, { open, addForeignFile }) => {
    const blobs = await open()
    const before = Date.now()
    const name = await store(blobs, randomBytes(1234))
    await blobs.create()
    await addForeignFile()
    const [entry, ...others] = await entries(blobs)
    t.same(others, [])
    t.match(entry, { name, bytes: 1234 })
    // A store's clock may be coarse, or another machine's.
    t.ok(entry && Math.abs(entry.modifiedAt - before) < 3_600_000, 'in milliseconds, UTC')
    t.ok(Number.isSafeInteger(entry?.modifiedAt))
    await blobs.close()
  })

  eachStore('remove may be repeated, and removes only its blob', async (t, { open }) => {
    const blobs = await open()
    const name = await store(blobs, Buffer.from('one'))
    const other = await store(blobs, Buffer.from('two'))
    await blobs.remove(name)
    await blobs.remove(name)
    await blobs.remove(newBlobName())
    await t.rejects(blobs.open(name, receipt), { code: 'blob-missing' })
    t.equal((await load(blobs, other)).toString(), 'two')
  })

  eachStore('opens only against a receipt', async (t, { open }) => {
    const blobs = await open()
    const name = await store(blobs, Buffer.from('sealed'))
    const forgeries = [undefined, null, {}, { eventId: receipt.eventId }, { ...receipt }]
    for (const forged of forgeries) {
      await t.rejects(blobs.open(name, forged as typeof receipt), TypeError)
    }
    t.equal((await load(blobs, name)).toString(), 'sealed')
  })

  eachStore('a name that is no name goes nowhere', async (t, { open }) => {
    const blobs = await open()
    const good = newBlobName()
    const bad = ['', '..', `../${good}`, `${good}/`, good.toUpperCase(), `${good}\n`, good.slice(1)]
    for (const name of bad) {
      await t.rejects(blobs.open(name, receipt), TypeError)
      await t.rejects(blobs.remove(name), TypeError)
      await t.rejects(blobs.sync([name]), TypeError)
    }
  })

  eachStore('what an earlier process left unfinished is swept', async (t, store) => {
    const earlier = await store.open()
    const bytes = Buffer.alloc(store.traceBytes, 'half')
    await (await earlier.create()).write(bytes)
    await (await earlier.create()).write(bytes)
    const kept = await earlier.create()
    await kept.commit()
    await store.addForeignFile()

    const later = await store.open()
    const running = await later.create()
    await running.write(bytes)
    await running.write(Buffer.from('still here'))
    t.equal(await later.sweepUnfinished(), 2)
    // A part that was on its way when its upload was given up may bring it back (Amazon S3, API of
    // AbortMultipartUpload): a later sweep has it.
    await eventually('nothing is left', async () =>
      (await later.sweepUnfinished()) === 0 ? true : undefined
    )
    await running.commit()
    const whole = Buffer.concat([bytes, Buffer.from('still here')])
    t.ok((await load(later, running.name)).equals(whole), 'own writers are spared')
    t.equal((await entries(later)).length, 2)
    await earlier.close()
  })

  eachStore('close gives unfinished writers up', async (t, { open, traceBytes }) => {
    const blobs = await open()
    const writer = await blobs.create()
    await writer.write(Buffer.alloc(traceBytes, 'half'))
    await blobs.close()
    await blobs.close()
    await t.rejects(writer.commit(), BlobError)
    t.equal(await (await open()).sweepUnfinished(), 0)
  })

  eachStore('says that it is there, and how much room there is', async (t, { open }) => {
    const blobs = await open()
    t.ok((await blobs.freeBytes()) > 0)
    await blobs.check()
  })

  eachStore('syncing nothing, or twice, or what is gone, does no harm', async (t, { open }) => {
    const blobs = await open()
    const name = await store(blobs, Buffer.from('one'))
    await blobs.sync([])
    await blobs.sync([name, name])
    await blobs.remove(name)
    await blobs.sync([name])
    t.same(await entries(blobs), [])
  })
}
