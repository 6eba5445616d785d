import { randomInt } from 'node:crypto'
import { utimesSync } from 'node:fs'
import type { RecordView } from '../../schemas/record.ts'
import { TEST_DATABASE } from '../helpers/databases.ts'
import { eventually, numberedText, sha256, uploadRecord } from '../helpers/exchange.ts'
import { type BeginStory, ROUNDS } from './kill-rounds.ts'
import type { RealService } from './real-service.ts'
import { blobFiles, unexpectedFiles } from './soundness.ts'

export const UPLOAD_MARKER = 'curlew-in-clear'

function someFiles() {
  return Array.from({ length: randomInt(1, 5) }, (_, i) => ({
    name: `${i}.txt`,
    bytes: Buffer.concat([
      Buffer.from(`${UPLOAD_MARKER}\n`),
      numberedText(randomInt(1, 600_000)).bytes
    ])
  }))
}

/** Uploads of a few files: what was acknowledged is there, whole; what was not has left nothing. */
export const uploads: BeginStory = async (t, service, caseId) => {
  const clinician = service.client('clinician')
  let acknowledged: { record: RecordView; digests: string[] }[] = []
  const all: string[] = []

  async function upload() {
    const files = someFiles()
    const record = await uploadRecord(clinician, caseId, { files })
    acknowledged.push({ record, digests: files.map(file => sha256(file.bytes)) })
  }

  async function look() {
    for (const { record, digests } of acknowledged.splice(0)) {
      const found = await clinician.json<RecordView>('GET', `/v1/records/${record.id}`)
      const right = found.objects.every((object, i) => object.sha256 === digests[i])
      if (!right || found.objects.length !== digests.length) t.fail('a record has changed')
      const object = found.objects[randomInt(found.objects.length)]
      const path = `/v1/records/${record.id}/objects/${object?.id}/content`
      const { bytes } = await clinician.send('GET', path)
      if (sha256(bytes) !== object?.sha256) t.fail('a file has changed')
      all.push(record.id)
    }
    acknowledged = []
    // What is there for a moment may be of something under way.
    await eventually('no temporary file is left', () =>
      unexpectedFiles(service.config.dataDirectory).length === 0 ? true : undefined
    )
  }

  async function finish() {
    t.comment(`${all.length} uploads acknowledged in ${ROUNDS} rounds`)
    t.ok(all.length > ROUNDS / 4)
    await untilHouseIsKept(service)
    const records = await service.look(({ database }) =>
      database.read.select().from(database.read.tables.records)
    )
    const known = new Set(records.map(row => row.id))
    t.strictSame(
      all.filter(id => !known.has(id)),
      [],
      'no acknowledged upload was lost'
    )
    const events = await service.events({ action: 'record.create', outcome: 'success' })
    t.strictSame(events.map(event => event.recordId).sort(), [...known].sort(), 'one event each')
  }

  return { workers: [upload, upload], look, finish }
}

/** Every row's blob is there, and after a while no other. */
async function untilHouseIsKept(service: RealService): Promise<void> {
  const named = await service.look(({ database }) =>
    database.read.select().from(database.read.tables.objects)
  )
  // Where other processes may be uploading, only what is old is known to be left behind.
  if (TEST_DATABASE === 'postgres') {
    for (const path of blobFiles(service.config.dataDirectory)) utimesSync(path, 0, 0)
    await service.stop()
    await service.start()
  }
  await eventually('blobs that no row names are removed', () =>
    blobFiles(service.config.dataDirectory).length === named.length ? true : undefined
  )
}
