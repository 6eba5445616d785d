import t from 'tap'
import {
  createCase,
  numberedText,
  sha256,
  startExchange,
  type TestExchange
} from '../helpers/exchange.ts'
import {
  beginDraft,
  beginUpload,
  complete,
  offsetOf,
  readDraft,
  sendBegin,
  sendInPieces,
  sendPatch,
  TUS
} from './tus.ts'

async function newDraft(x: TestExchange): Promise<string> {
  const { id } = await createCase(x.client('clinician'))
  return (await beginDraft(x.client('clinician'), id)).id
}

t.test('a file sent in pieces becomes the one object of a record', async t => {
  const x = await startExchange(t)
  const clinician = x.client('clinician')
  const draft = await newDraft(x)
  const file = numberedText(300_000)
  const path = await beginUpload(clinician, file.bytes.length, {
    draft,
    filename: 'numbers.txt',
    filetype: 'text/plain'
  })
  await sendInPieces(clinician, path, file.bytes, [1, 4094, 1, 100_000])
  t.equal(await offsetOf(clinician, path), file.bytes.length)
  t.match((await readDraft(clinician, draft)).uploads, [
    { fileName: 'numbers.txt', state: 'stored', sha256: sha256(file.bytes) }
  ])
  const record = await complete(clinician, draft)
  t.match(record, { id: draft, objects: [{ type: 'text/plain', sha256: sha256(file.bytes) }] })
  const content = await clinician.send('GET', `/v1/records/${draft}/content`)
  t.ok(content.bytes.equals(file.bytes), 'byte for byte')
  t.same(await complete(clinician, draft), record, 'asked again, the same')
  t.comment(
    x
      .logged()
      .split('\n')
      .filter(l => /"level":(50|40)/.test(l))
      .join('\n')
  )
})
