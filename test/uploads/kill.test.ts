import { randomInt } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { UPLOAD_ROUNDS as ROUNDS, roundsMillisecondsMax } from '../faults/kill-rounds.ts'
import {
  type Beside,
  type RealService,
  startBeside,
  startRealService
} from '../faults/real-service.ts'
import { assertSoundAtRest, blobFiles, checkAtRest } from '../faults/soundness.ts'
import type { Client } from '../helpers/client.ts'
import { TEST_DATABASE } from '../helpers/databases.ts'
import { createCase, eventually, numberedText, sha256 } from '../helpers/exchange.ts'
import { beginDraft, beginUpload, complete, offsetOf, readDraft, sendPatch } from './tus.ts'

const FILE_BYTES = 3_000_000
const PIECE_BYTES_MAX = 400_000
const KILL_MILLISECONDS_MAX = 400

/** What a kill may leave in a store that other processes use too, which is cleaned after a day. */
const LEFT_BEHIND = /^Blob \S+ belongs to no object|unfinished blobs were left behind/

t.setTimeout(roundsMillisecondsMax(ROUNDS))

/** Sends pieces of random lengths until all is there, or it fails. Tells every offset it was told. */
async function sendRest(
  client: Client,
  path: string,
  file: Buffer,
  told: (offset: number) => void
): Promise<void> {
  for (let at = await offsetOf(client, path); at < file.length; ) {
    const piece = file.subarray(at, at + randomInt(0, PIECE_BYTES_MAX))
    const answer = await sendPatch(client, path, at, piece)
    if (answer.status !== 204) throw new Error(`${answer.status}`)
    at = Number(answer.headers.get('upload-offset'))
    told(at)
  }
}

t.test('a service killed at any point has kept every offset it told', async t => {
  const service = await startRealService(t)
  const beside = TEST_DATABASE === 'postgres' ? await startBeside(t, service) : undefined
  const { id: caseId } = await createCase(service.client('clinician'))
  const file = numberedText(FILE_BYTES).bytes
  const { id: draft } = await beginDraft(service.client('clinician'), caseId)
  let path = await beginUpload(service.client('clinician'), FILE_BYTES, { draft })
  let told = 0
  let resumed = 0
  let files = 0
  for (let round = 0; round < ROUNDS; round += 1) {
    const client = service.client('clinician')
    const sending = sendRest(client, path, file, offset => {
      told = offset
    }).catch(() => {})
    await sleep(randomInt(KILL_MILLISECONDS_MAX))
    await service.kill()
    await sending
    const other = await elsewhere(service, beside)
    const offset = await offsetOf(other, path)
    if (offset < told) t.fail(`was told ${told}, and ${offset} are left`)
    if (offset > 0 && offset < FILE_BYTES) resumed += 1
    await eventually('the place of the one that was killed is free', async () => {
      const answer = await sendPatch(other, path, offset, file.subarray(offset, offset + 100_000))
      return answer.status === 423 ? undefined : answer
    })
    if (beside !== undefined) await service.start()
    if ((await offsetOf(other, path)) === FILE_BYTES) {
      files += 1
      path = await beginUpload(other, FILE_BYTES, { draft })
      told = 0
    }
  }
  const client = service.client('clinician')
  await sendRest(client, path, file, () => {})
  t.comment(`${files + 1} files in ${ROUNDS} rounds, resumed ${resumed} times`)
  t.ok(resumed > ROUNDS / 4)
  const { uploads } = await readDraft(client, draft)
  const record = await complete(client, draft)
  t.equal(uploads.length, record.objects.length)
  const digests = record.objects.map(object => object.sha256)
  t.same([...new Set(digests)], [sha256(file)], 'every file is whole')
  const { bytes } = await client.send(
    'GET',
    `/v1/records/${draft}/objects/${record.objects.at(-1)?.id}/content`
  )
  t.ok(bytes.equals(file), 'and opens as it was sent')

  await beside?.stop()
  await service.stop()
  if (TEST_DATABASE === 'postgres') {
    const faults = await checkAtRest(service.config)
    t.same(
      faults.filter(fault => !LEFT_BEHIND.test(fault)),
      [],
      'the checker finds all whole'
    )
    return
  }
  await service.start()
  const segments = await service.look(({ database }) =>
    database.read.select().from(database.read.tables.objectSegments)
  )
  await eventually('blobs that no row names are removed', () =>
    blobFiles(service.config.dataDirectory).length === segments.length ? true : undefined
  )
  await service.stop()
  await assertSoundAtRest(t, service.config, ['0000499994'])
})

/** Where an upload goes on: in another process, or in the same one started anew. */
async function elsewhere(service: RealService, beside: Beside | undefined): Promise<Client> {
  if (beside !== undefined) return beside.client('clinician')
  await service.start()
  return service.client('clinician')
}
