import t from 'tap'
import { filePart, formBody, formType, goodFields } from '../faults/multipart.ts'
import { startBeside, startRealService } from '../faults/real-service.ts'
import { freshPostgres, hasPostgres } from '../helpers/databases.ts'
import {
  createCase,
  eventually,
  numberedText,
  openShare,
  sha256,
  sharedPath,
  shareRecords,
  uploadRecord
} from '../helpers/exchange.ts'
import { newPrefix, s3Server } from '../helpers/s3.ts'

const LARGE = numberedText(24 * 1024 * 1024)

t.test('two machines with one database and one bucket are one exchange', async t => {
  const s3 = await s3Server(t)
  if (s3 === undefined || !hasPostgres(t)) return
  const { url } = await freshPostgres()
  const settings = { DATABASE_URL: url, ...s3.env(newPrefix()), ...s3.credentials }
  const first = await startRealService(t, settings)
  const second = await startBeside(t, first)

  const { id: caseId } = await createCase(first.client('clinician'))
  const record = await uploadRecord(first.client('clinician'), caseId, { files: [LARGE] })
  const seen = await second.client('clinician').send('GET', `/v1/records/${record.id}`)
  t.match(seen, { status: 200, json: { id: record.id } })
  const by = { ...second, people: first.people, clock: first.clock }
  const share = await shareRecords(by, caseId, [record.id])
  await openShare(first.client('specialistGb'), share.link)
  for (const at of [second, first]) {
    const content = await at.client('specialistGb').send('GET', sharedPath(share.id, record.id))
    t.match([content.status, sha256(content.bytes)], [200, sha256(LARGE.bytes)])
  }

  // An upload whose process is killed leaves nothing, and the next one at the other succeeds.
  const form = formBody([...goodFields, filePart(LARGE.bytes)])
  const half = await second.raw(
    'clinician',
    `POST /v1/cases/${caseId}/records`,
    { 'content-type': formType, 'content-length': String(form.length) },
    form.subarray(0, form.length / 2)
  )
  await eventually('it is under way', () => (half.socket.bytesWritten > 1e6 ? true : undefined))
  await second.kill()
  const again = await uploadRecord(first.client('clinician'), caseId, { files: [LARGE] })
  const listed: { records: { id: string }[] } = await first
    .client('clinician')
    .json('GET', `/v1/cases/${caseId}/records`)
  t.same(
    listed.records.map(({ id }) => id),
    [record.id, again.id]
  )
})
