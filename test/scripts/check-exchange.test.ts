import { closeSync, existsSync, openSync, readSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { startRealService } from '../faults/real-service.ts'
import { blobFiles } from '../faults/soundness.ts'
import { createCase, numberedText, uploadRecord } from '../helpers/exchange.ts'
import { runScript } from './run-script.ts'

t.test('the whole data directory is checked while no service uses it', async t => {
  const service = await startRealService(t)
  const clinician = service.client('clinician')
  const { id: caseId } = await createCase(clinician)
  const record = await uploadRecord(clinician, caseId, { files: [numberedText(12_000_000)] })
  const check = () => runScript('check-exchange', service.settings)

  const busy = await check()
  t.match(busy, { exit: 1, out: '', err: /Another (Consilium is running|process is using)/ })

  // A download is cut off by the end of the process: the check finds it, and puts it on the log.
  const call = await service.raw('clinician', `GET /v1/records/${record.id}/content`)
  await call.take(100_000)
  await service.kill()
  t.match(await check(), { exit: 0, err: '', out: 'All is well.' })
  const ends = await service.events({ action: 'content.read', outcome: 'interrupted' })
  t.equal(ends.length, 1)

  const [blob = ''] = blobFiles(service.config.dataDirectory)
  const file = openSync(blob, 'r+')
  const byte = Buffer.alloc(1)
  readSync(file, byte, 0, 1, 5_000_000)
  writeSync(file, Buffer.from([Number(byte[0]) ^ 1]), 0, 1, 5_000_000)
  closeSync(file)
  const damaged = await check()
  t.match(damaged, { exit: 1, err: '' })
  t.strictSame(damaged.out.split('\n'), [
    `Object ${record.objects[0]?.id}: sealed-damaged.`,
    '1 faults.'
  ])
})

t.test('where there are no data none are made', async t => {
  const directory = join(t.testdir(), 'none')
  const none = await runScript('check-exchange', { CONSILIUM_DATA: directory })
  t.match(none, { exit: 1, out: '', err: /no data yet.*npm start/ })
  t.notOk(existsSync(directory))
})
