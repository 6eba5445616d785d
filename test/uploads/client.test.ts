import { createReadStream, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import * as tus from 'tus-js-client'
import { startRealService } from '../faults/real-service.ts'
import { createCase, numberedText, sha256, startExchange } from '../helpers/exchange.ts'
import { beginDraft, complete, readDraft } from './tus.ts'

const FILE = numberedText(3_000_000).bytes

/** Runs one upload of the client to its end. */
function sent(
  body: Buffer | ReturnType<typeof createReadStream>,
  options: Partial<tus.UploadOptions>,
  begun: (upload: tus.Upload) => void = () => {}
): Promise<string> {
  return new Promise((resolve, reject) => {
    const upload: tus.Upload = new tus.Upload(body as unknown as tus.Upload['file'], {
      retryDelays: [100, 300, 1000, 3000, 5000, 5000],
      onError: reject,
      onSuccess: () => resolve(String(upload.url)),
      ...options
    })
    begun(upload)
    upload.start()
  })
}

t.test('tus-js-client uploads whole, in pieces, and in parts at once', async t => {
  const x = await startExchange(t)
  const clinician = x.client('clinician')
  const { id: caseId } = await createCase(clinician)
  const { id: draft } = await beginDraft(clinician, caseId)
  const common = {
    endpoint: `${x.url}/v1/uploads`,
    headers: { authorization: `Bearer ${await clinician.token()}` },
    metadata: { draft, filename: 'Ärztebrief.txt', filetype: 'text/plain', sha256: sha256(FILE) }
  }
  await sent(FILE, common)
  await sent(FILE, { ...common, chunkSize: 250_001 })
  await sent(FILE, { ...common, uploadDataDuringCreation: true })
  await sent(FILE, { ...common, parallelUploads: 4, metadataForPartialUploads: { draft } })
  const url = await sent(FILE, common)
  await tus.Upload.terminate(url, { headers: common.headers })
  const { uploads } = await readDraft(clinician, draft)
  t.same(
    uploads.map(({ fileName, state, sha256 }) => [fileName, state, sha256]),
    Array(4).fill(['Ärztebrief.txt', 'stored', sha256(FILE)])
  )
  await t.rejects(
    sent(FILE, { ...common, metadata: { ...common.metadata, filename: 'x.pdf' } }),
    /file-mislabelled/,
    'a refusal reaches its user'
  )
  t.equal((await complete(clinician, draft)).objects.length, 4)
})

t.test('tus-js-client goes on by itself when the service was killed', async t => {
  const service = await startRealService(t)
  const clinician = service.client('clinician')
  const { id: caseId } = await createCase(clinician)
  const { id: draft } = await beginDraft(clinician, caseId)
  const path = join(t.testdirName, 'file.txt')
  writeFileSync(path, FILE)
  let killed = false
  await sent(createReadStream(path), {
    endpoint: `${service.url}/v1/uploads`,
    headers: { authorization: `Bearer ${await clinician.token()}` },
    metadata: { draft },
    uploadSize: FILE.length,
    chunkSize: 200_000,
    async onProgress(bytes) {
      if (killed || bytes < FILE.length / 2) return
      killed = true
      await service.kill()
      await service.start()
    }
  })
  t.ok(killed)
  t.match((await readDraft(clinician, draft)).uploads, [{ sha256: sha256(FILE) }])
})
