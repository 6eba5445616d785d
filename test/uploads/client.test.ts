import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createReadStream, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import t from 'tap'
import * as tus from 'tus-js-client'
import { startRealService } from '../faults/real-service.ts'
import { createCase, numberedText, sha256, startExchange } from '../helpers/exchange.ts'
import { pythonPeer } from '../peers/python.ts'
import { beginDraft, complete, readDraft } from './tus.ts'

const FILE = numberedText(3_000_000).bytes
const TUSPY = join(import.meta.dirname, '..', 'peers', 'tuspy', 'upload.py')

/** Runs one upload of the client to its end. */
function sent(
  body: Buffer | ReturnType<typeof createReadStream>,
  options: Partial<tus.UploadOptions>,
  begun: (upload: tus.Upload) => void = () => {}
): Promise<string> {
  return new Promise((resolve, reject) => {
    const upload: tus.Upload = new tus.Upload(body as unknown as tus.Upload['file'], {
      retryDelays: [100, 300, ...Array<number>(40).fill(1000)],
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

t.test('when the service was killed', async t => {
  const service = await startRealService(t)
  const clinician = service.client('clinician')
  const { id: caseId } = await createCase(clinician)
  const path = join(t.testdirName, 'file.txt')
  writeFileSync(path, FILE)
  const headers = { authorization: `Bearer ${await clinician.token()}` }
  const endpoint = `${service.url}/v1/uploads`

  /** Kills and starts the service when it has told an offset past the middle, once. */
  function killHalfway() {
    let killing: Promise<void> | undefined
    return async (offset: number) => {
      if (killing === undefined && offset >= FILE.length / 2) {
        killing = service.kill().then(() => service.start())
      }
      await killing
      return killing !== undefined
    }
  }

  await t.test('tus-js-client goes on by itself', async t => {
    const { id: draft } = await beginDraft(clinician, caseId)
    const tell = killHalfway()
    const metadata = { draft }
    await sent(createReadStream(path), {
      endpoint,
      headers,
      metadata,
      uploadSize: FILE.length,
      chunkSize: 200_000,
      onProgress: bytes => void tell(bytes)
    })
    t.ok(await tell(0), 'it was killed')
    t.match((await readDraft(clinician, draft)).uploads, [{ sha256: sha256(FILE) }])
  })

  await t.test('tuspy goes on by itself, and in a later run when it was killed too', async t => {
    const directory = pythonPeer(t, 'tuspy')
    if (directory === undefined) return
    const { id: draft } = await beginDraft(clinician, caseId)
    const storage = join(t.testdirName, '..', `tuspy-${process.pid}.json`)
    t.teardown(() => rmSync(storage, { force: true }))
    const asked = { endpoint, headers, storage, file: path, chunkBytes: 200_000 }
    const run = (name: string, retries: number, tell: (offset: number, stop: () => void) => void) =>
      tuspy(directory, { ...asked, retries, metadata: { draft, filename: name } }, tell)

    const tell = killHalfway()
    const once = await run('itself.txt', 60, offset => void tell(offset))
    t.ok(await tell(0), 'it was killed')
    t.equal(once.code, 0, once.err)

    rmSync(storage)
    const cut = await run('later.txt', 0, (offset, stop) => {
      if (offset > FILE.length / 3) stop()
    })
    t.not(cut.code, 0, 'it was killed')
    await service.kill()
    await service.start()
    const later = await run('later.txt', 0, () => {})
    t.equal(later.code, 0, later.err)
    t.ok((later.offsets[0] ?? 0) > FILE.length / 3, 'it went on, and did not begin anew')
    const { uploads } = await readDraft(clinician, draft)
    t.same(
      uploads.map(({ fileName, state, sha256 }) => [fileName, state, sha256]),
      ['itself.txt', 'later.txt'].map(name => [name, 'stored', sha256(FILE)])
    )
    t.equal((await complete(clinician, draft)).objects.length, 2)
  })
})

/** Runs the program of test/peers/tuspy to its end, or until it is told to stop. */
async function tuspy(
  directory: string,
  asked: object,
  tell: (offset: number, stop: () => void) => void
): Promise<{ code: number | null; offsets: number[]; err: string }> {
  const child = spawn('python3', [TUSPY, JSON.stringify(asked)], {
    env: { PATH: process.env.PATH ?? '', PYTHONPATH: directory },
    stdio: ['ignore', 'pipe', 'pipe']
  })
  const exit = once(child, 'exit')
  let err = ''
  child.stderr.on('data', text => {
    err += text
  })
  const offsets: number[] = []
  for await (const line of createInterface({ input: child.stdout })) {
    offsets.push(Number(line))
    tell(Number(line), () => child.kill('SIGKILL'))
  }
  const [code] = await exit
  return { code, offsets, err: err.slice(-2000) }
}
