import { createHash } from 'node:crypto'
import t from 'tap'
import { createCase, type SampleFile, sendRecord, startExchange } from '../helpers/exchange.ts'

const text = Buffer.from('Dear colleague, please find enclosed.')

/** One service for all tests of this file: none changes what another looks at. */
const exchange = await startExchange(t)

function digest(algorithm: 'sha256' | 'sha512', bytes: Buffer): string {
  return createHash(algorithm).update(bytes).digest('base64')
}

function file(digest: string, bytes = text): SampleFile {
  return { name: 'letter.txt', bytes, digest }
}

const right = `sha-256=:${digest('sha256', text)}:`

t.test('a digest that is right is taken, alone or among others', async t => {
  const clinician = exchange.client('clinician')
  const { id: caseId } = await createCase(clinician)
  const spellings = [
    right,
    ` ${right} `,
    `sha-512=:${digest('sha512', text)}:, ${right}`,
    `${right},sha-512=:${digest('sha512', text)}:`
  ]
  for (const spelling of spellings) {
    const { status, json } = await sendRecord(clinician, caseId, { files: [file(spelling)] })
    t.equal(status, 201, spelling)
    t.match(json, { objects: [{ sha256: createHash('sha256').update(text).digest('hex') }] })
  }
})

t.test('a file that does not match its digest is not kept', async t => {
  const clinician = exchange.client('clinician')
  const { id: caseId } = await createCase(clinician)
  const before = await blobs(exchange.exchange.blobs.list())
  const changed = Buffer.from(text)
  changed[5] = (changed[5] ?? 0) ^ 1
  const refused: [label: string, files: SampleFile[], position: number][] = [
    ['one changed bit', [file(right, changed)], 1],
    ['cut short', [file(right, text.subarray(0, -1))], 1],
    ['the digest of another file', [file(`sha-256=:${digest('sha256', changed)}:`)], 1]
  ]
  for (const [label, files, filePosition] of refused) {
    const { result, events } = await exchange.eventsOf(() =>
      sendRecord(clinician, caseId, { files })
    )
    t.match(result, { status: 422, json: { code: 'digest-mismatch', filePosition } }, label)
    t.match(events, [{ action: 'record.create', outcome: 'refused', code: 'digest-mismatch' }])
  }
  t.same(await clinician.json('GET', `/v1/cases/${caseId}/records`), { records: [] })
  t.same(await blobs(exchange.exchange.blobs.list()), before, 'and nothing of it is stored')

  const good = file(right)
  const files = [good, file(right, changed), good]
  const answer = await sendRecord(clinician, caseId, { files })
  const told = [{ position: 2, fileName: good.name, code: 'digest-mismatch' }]
  t.match(answer, { status: 201, json: { refused: told } }, 'the second of three')
  const after = await blobs(exchange.exchange.blobs.list())
  t.equal(after.length, before.length + 2, 'of which the others are stored')
})

t.test('a digest that cannot be read is refused, not passed over', async t => {
  const clinician = exchange.client('clinician')
  const { id: caseId } = await createCase(clinician)
  const hex = createHash('sha256').update(text).digest('hex')
  for (const unreadable of [
    'x',
    hex,
    `sha-256=${hex}`,
    `sha-256=:${digest('sha256', text).slice(0, -4)}:`,
    'sha-256=::',
    `sha-512=:${digest('sha512', text)}:`,
    `md5=:${createHash('md5').update(text).digest('base64')}:`,
    `sha-256=:${digest('sha512', text)}:`,
    `xsha-256=:${digest('sha256', text)}:`
  ]) {
    const answer = await sendRecord(clinician, caseId, { files: [file(unreadable)] })
    t.match(answer, { status: 400, json: { code: 'digest-invalid' } }, unreadable)
  }
})

t.test('a digest belongs to the file after it, and to no other', async t => {
  const clinician = exchange.client('clinician')
  const { id: caseId } = await createCase(clinician)
  const other: SampleFile = { name: 'other.txt', bytes: Buffer.from('Another letter.') }
  const answer = await sendRecord(clinician, caseId, { files: [file(right), other, file(right)] })
  t.equal(answer.status, 201, 'the one in the middle came without')
})

async function blobs<T>(list: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const entry of list) all.push(entry)
  return all
}

t.test('a digest behind its file, or a second one before it, is refused', async t => {
  const clinician = exchange.client('clinician')
  const { id: caseId } = await createCase(clinician)
  for (const order of [
    ['file', 'digest'],
    ['digest', 'digest', 'file']
  ]) {
    const form = new FormData()
    for (const [name, value] of Object.entries({
      kind: 'letter',
      title: 'T',
      date: '2026-11-02'
    })) {
      form.append(name, value)
    }
    for (const part of order) {
      if (part === 'digest') form.append('repr-digest', right)
      else form.append('file', new Blob([new Uint8Array(text)]), 'letter.txt')
    }
    const answer = await clinician.send('POST', `/v1/cases/${caseId}/records`, form)
    t.match(answer, { status: 400, json: { code: 'digest-invalid' } }, order.join())
  }
})
