import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { type ClientRequest, get, type IncomingMessage, request } from 'node:http'
import t from 'tap'
import type { RecordView } from '../../schemas/record.ts'
import { createCase } from '../helpers/story.ts'
import { filePart, formBody, formType, goodFields } from './multipart.ts'
import { startRealService } from './real-service.ts'
import { assertSoundAtRest } from './soundness.ts'

const MIB = 1_048_576
const FILE_MIB = process.env.SLOW === '1' ? 4096 : 512
const GROWTH_MIB_MAX = 150
const MARKER = 'oystercatcher-in-clear'

/** The memory of a process that is in RAM, and how far it has grown at most since. */
function watchMemory(pid: number) {
  const now = () => {
    const [, kib] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
    return Number(kib) / 1024
  }
  const before = now()
  let most = before
  const timer = setInterval(() => {
    most = Math.max(most, now())
  }, 20)
  return {
    end() {
      clearInterval(timer)
      return Math.round(most - before)
    }
  }
}

async function sendAll(upload: ClientRequest, block: Buffer, end: Buffer) {
  for (let sent = 0; sent < FILE_MIB; sent += 1) {
    if (!upload.write(block)) await once(upload, 'drain')
  }
  upload.end(end)
  const [answer] = (await once(upload, 'response')) as [IncomingMessage]
  const text = Buffer.concat(await answer.toArray()).toString()
  return { status: answer.statusCode, text }
}

t.test('a file far larger than the memory it may use', async t => {
  if (process.platform !== 'linux') {
    t.pass('skipped: memory is read from /proc', { skip: 'memory is read from /proc' })
    return
  }
  const service = await startRealService(t)
  const clinician = service.client('clinician')
  const { id: caseId } = await createCase(clinician)
  const headers = { authorization: `Bearer ${await clinician.token()}` }

  const block = Buffer.alloc(MIB, `${MARKER} and nothing else\n`)
  const [start = '', end = ''] = formBody([...goodFields, filePart('@')])
    .toString()
    .split('@')
  const uploading = watchMemory(service.pid)
  const upload = request(`${service.url}/v1/cases/${caseId}/records`, {
    method: 'POST',
    headers: { ...headers, 'content-type': formType }
  })
  upload.write(start)
  const { status, text } = await sendAll(upload, block, Buffer.from(end))
  const grownUp = uploading.end()
  t.equal(status, 201)
  const { id, objects }: RecordView = JSON.parse(text)
  t.equal(objects[0]?.bytes, FILE_MIB * MIB)

  const downloading = watchMemory(service.pid)
  const [answer] = await once(
    get(`${service.url}/v1/records/${id}/content`, { headers }),
    'response'
  )
  const hash = createHash('sha256')
  for await (const chunk of answer) hash.update(chunk)
  const grownDown = downloading.end()
  t.equal(hash.digest('hex'), objects[0]?.sha256, 'it comes back as it was')

  t.comment(`${FILE_MIB} MiB: ${grownUp} MiB more while it came, ${grownDown} MiB while it went`)
  t.ok(grownUp < GROWTH_MIB_MAX, 'upload')
  t.ok(grownDown < GROWTH_MIB_MAX, 'download')
  t.equal(await service.stop(), 0)
  await assertSoundAtRest(t, service.config, [MARKER])
})
