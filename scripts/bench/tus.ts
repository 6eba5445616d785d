import { digestOfFile, MIB } from './bodies.ts'
import { type Bench, type Figure, inTurn } from './figure.ts'
import { perform } from './processes.ts'
import { expectEvents, makeCase, type Service } from './servers.ts'
import { onService, rate, uploadRecord } from './transfers.ts'
import { type Watched, watched } from './watch.ts'

// Resumable upload beside our own upload as a form, in the same run: one file, sealed, hashed,
// inspected, audited and on the disk either way.

const FILE_BYTES = 1024 * MIB
const WARM_BYTES = 32 * MIB

export const tusUpload: Figure = {
  name: 'tus-upload',
  unit: 'MiB/s',
  goal: { ratioMin: 0.9 },
  diskBytes: rounds => rounds * 2 * (FILE_BYTES + WARM_BYTES),
  run: bench =>
    inTurn(bench, 'tus-upload', {
      baseline: () =>
        onService(bench, async service => {
          const caseId = await makeCase(service)
          await uploadRecord(service, caseId, 1, WARM_BYTES)
          const { run } = await uploadRecord(service, caseId, 1, FILE_BYTES, bench)
          return rate(run)
        }),
      ours: () =>
        onService(bench, async service => {
          const caseId = await makeCase(service)
          await uploadByTus(service, caseId, fileOf(WARM_BYTES))
          const { run } = await uploadByTus(service, caseId, fileOf(FILE_BYTES), bench)
          await expectEvents(service, 'record.create', 'success', 2)
          return rate(run)
        })
    })
}

/** A file of the client and its digest, which takes a while. */
export const fileOf = (bytes: number) => ({ bytes, sha256: digestOfFile(bytes) })

/** From the creation of the draft to its record, with one PATCH; checks what is stored. */
export async function uploadByTus(
  service: Service,
  caseId: string,
  { bytes, sha256 }: { bytes: number; sha256: string },
  bench?: Bench
): Promise<{ id: string; run: Watched }> {
  const { clinician, clinicianToken: token, port } = service
  let id = ''
  const send = async () => {
    const began = performance.now()
    const fields = { kind: 'scan', title: 'Bench', date: '2026-11-02' }
    const draft = await clinician.json<{ id: string }>('POST', `/v1/cases/${caseId}/drafts`, fields)
    id = draft.id
    const named = Buffer.from(draft.id).toString('base64')
    const created = await clinician.send('POST', '/v1/uploads', undefined, {
      'tus-resumable': '1.0.0',
      'upload-length': String(bytes),
      'upload-metadata': `draft ${named}`
    })
    const before = (performance.now() - began) / 1000
    const done = await perform(
      {
        kind: 'upload',
        method: 'PATCH',
        port,
        token,
        path: String(created.headers.get('location')),
        headers: {
          'tus-resumable': '1.0.0',
          'upload-offset': '0',
          'content-type': 'application/offset+octet-stream'
        },
        body: { form: false, files: 1, bytesEach: bytes }
      },
      204
    )
    const sent = performance.now()
    const record = await clinician.json<{ objects: { bytes: number; sha256: string }[] }>(
      'POST',
      `/v1/drafts/${draft.id}/complete`
    )
    const after = (performance.now() - sent) / 1000
    const [object] = record.objects
    if (object?.bytes !== bytes || object.sha256 !== sha256) {
      throw new Error('Stored otherwise than sent.')
    }
    return { ...done, seconds: before + done.seconds + after }
  }
  const run =
    bench === undefined
      ? { done: await send(), othersCores: undefined }
      : await watched(bench.progress, service, send)
  return { id, run }
}
