import t from 'tap'
import { backupScene } from '../backup/scene.ts'
import { startBeside, startRealService } from '../faults/real-service.ts'
import { checkAtRest } from '../faults/soundness.ts'
import { freshPostgres, hasPostgres } from '../helpers/databases.ts'
import { createCase, numberedText, sha256 } from '../helpers/exchange.ts'
import { newPrefix, s3Server } from '../helpers/s3.ts'
import {
  beginDraft,
  beginUpload,
  complete,
  offsetOf,
  readDraft,
  sendInPieces,
  sendPatch,
  TUS
} from './tus.ts'

const FILE = numberedText(5_000_000).bytes
const TRIES_MAX = 100
const PIECES = [10, 1_500_000, 1_200_000, 7, 1_000_000]

t.test('in S3, from two machines in turn', async t => {
  const s3 = await s3Server(t)
  if (s3 === undefined || !hasPostgres(t)) return
  const { url } = await freshPostgres()
  const settings = { DATABASE_URL: url, ...s3.env(newPrefix()), ...s3.credentials }
  const first = await startRealService(t, settings)
  const second = await startBeside(t, first)
  const machines = [first.client('clinician'), second.client('clinician')] as const
  const { id: caseId } = await createCase(machines[0])
  const { id: draft } = await beginDraft(machines[0], caseId)
  const path = await beginUpload(machines[0], FILE.length, { draft, sha256: sha256(FILE) })
  for (let at = 0, n = 0, tries = 0; at < FILE.length; tries += 1) {
    const machine = machines[tries % 2 === 0 ? 0 : 1]
    t.equal(await offsetOf(machine, path), at, 'each knows what came to the other')
    const piece = file(at, PIECES[n] ?? 1_000_000)
    const { status, headers, text } = await sendPatch(machine, path, at, piece)
    // The other machine may be letting go of the upload still: as every client does, it tries again.
    if (status === 423 && tries < TRIES_MAX) continue
    if (status !== 204) throw new Error(`Refused at ${at}: ${status} ${text}`)
    at = Number(headers.get('upload-offset'))
    n += 1
  }
  const gone = await beginUpload(machines[1], FILE.length, { draft })
  await sendPatch(machines[0], gone, 0, file(0, 20_000))
  t.equal((await machines[1].send('DELETE', gone, undefined, TUS)).status, 204)
  t.match(await readDraft(machines[1], draft), { uploads: [{ sha256: sha256(FILE) }] })
  await complete(machines[1], draft)
  const range = { range: 'bytes=1500000-1500019' }
  const content = `/v1/records/${draft}/content`
  for (const machine of machines) {
    t.ok((await machine.send('GET', content)).bytes.equals(FILE))
    const part = await machine.send('GET', content, undefined, range)
    t.ok(part.bytes.equals(FILE.subarray(1_500_000, 1_500_020)))
  }
})

t.test('a backup holds what is complete, in segments too, and no drafts', async t => {
  const { service, caseId, path, backup, restore } = await backupScene(t)
  const clinician = service.client('clinician')
  const { id: draft } = await beginDraft(clinician, caseId)
  const whole = await beginUpload(clinician, FILE.length, { draft })
  await sendInPieces(clinician, whole, FILE, PIECES)
  await complete(clinician, draft)
  const { id: other } = await beginDraft(clinician, caseId)
  const half = await beginUpload(clinician, FILE.length, { draft: other })
  await sendInPieces(clinician, half, FILE.subarray(0, 2_000_000), [2_000_000])
  const saved = await backup('--to', path('one.age'), '--new-identity', path('id.txt'))
  t.match(saved, { exit: 0, out: /All is well/ }, saved.err)
  t.match(saved.out, /^Left out: 1 drafts, 2000000 bytes of them have come/m)
  const to = path('elsewhere')
  const restored = await restore(path('one.age'), path('id.txt'), to)
  t.match(restored, { exit: 0, out: /All is well/ }, restored.err + restored.out)
  t.match(restored.out, /^Left out: 1 drafts, 2000000 bytes .* must be sent again/m)
  t.strictSame(await checkAtRest({ ...service.config, dataDirectory: to }), [])
  const beside = await startBeside(t, service, { CONSILIUM_DATA: to })
  const there = beside.client('clinician')
  t.ok((await there.send('GET', `/v1/records/${draft}/content`)).bytes.equals(FILE))
  t.equal((await there.send('GET', `/v1/drafts/${other}`)).status, 404)
  t.equal((await there.send('HEAD', half, undefined, TUS)).status, 404, 'nothing to resume there')
  t.equal((await clinician.send('GET', `/v1/drafts/${other}`)).status, 200, 'it goes on here')
})

const file = (at: number, bytes: number) => FILE.subarray(at, at + bytes)
