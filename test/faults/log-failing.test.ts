import t, { type Test } from 'tap'
import type { AuditEvent } from '../../src/audit/log.ts'
import { Refusal } from '../../src/errors.ts'
import { eventually, startExchange, type TestExchange } from '../helpers/exchange.ts'
import {
  createCase,
  numberedText,
  openShare,
  sharedPath,
  shareRecords,
  uploadRecord
} from '../helpers/story.ts'
import { assertSound } from './soundness.ts'

const MARKER = 'ruff-in-clear'
const bytes = Buffer.concat([Buffer.from(`${MARKER}\n`), numberedText(300_000).bytes])

interface Source {
  who: 'clinician' | 'specialistGb'
  path: string
  etag: string
}

/** Every route that gives content, of one file and of several. */
async function setUp(t: Test) {
  const x = await startExchange(t, { limits: { stallSecondsMax: 1 } })
  const clinician = x.client('clinician')
  const { id: caseId } = await createCase(clinician)
  const file = { name: 'a.txt', bytes }
  const one = await uploadRecord(clinician, caseId, { files: [file] })
  const two = await uploadRecord(clinician, caseId, { files: [file, file] })
  const share = await shareRecords(x, caseId, [one.id, two.id])
  await openShare(x.client('specialistGb'), share.link)
  const object = two.objects[1]?.id
  const places = [
    ['specialistGb', sharedPath(share.id, one.id)],
    ['specialistGb', sharedPath(share.id, two.id)],
    ['specialistGb', sharedPath(share.id, two.id, object)],
    ['clinician', `/v1/records/${one.id}/content`],
    ['clinician', `/v1/records/${two.id}/content`],
    ['clinician', `/v1/records/${two.id}/objects/${object}/content`]
  ] as const
  const sources: Source[] = []
  for (const [who, path] of places) {
    const { headers } = await x.client(who).send('HEAD', path)
    sources.push({ who, path, etag: headers.get('etag') ?? '"archive"' })
  }
  return { x, sources, share }
}

/** Every way to ask for content. */
const forms: Record<string, (etag: string) => [method: string, headers: Record<string, string>]> = {
  whole: () => ['GET', {}],
  look: () => ['HEAD', {}],
  range: () => ['GET', { range: 'bytes=5-100000' }],
  'several ranges': () => ['GET', { range: 'bytes=0-9,100-199' }],
  'range of a look': () => ['HEAD', { range: 'bytes=0-9' }],
  'known already': etag => ['GET', { 'if-none-match': etag }],
  'known already, a look': etag => ['HEAD', { 'if-none-match': etag }],
  'rest of what is known': etag => ['GET', { range: 'bytes=10-', 'if-range': etag }]
}

const isOfContent = (event: AuditEvent) => event.action === 'content.read'
const fault = () => new Refusal('storage-unavailable', 'fault test')

/** Where the log fails, until what is returned is called. */
const steps: Record<string, (x: TestExchange) => () => void> = {
  'as the event is written': ({ exchange: { audit } }) => {
    const { append } = audit
    audit.append = async (tx, event) => {
      if (isOfContent(event)) throw fault()
      return append(tx, event)
    }
    return () => {
      audit.append = append
    }
  },
  'as the transaction is stored': ({ exchange: { database } }) => {
    const { write } = database
    database.write = work =>
      write(async tx => {
        await work(tx)
        throw fault()
      })
    return () => {
      database.write = write
    }
  },
  'after it was stored, which nobody knows': ({ exchange: { database } }) => {
    const { write } = database
    database.write = async work => {
      await write(work)
      throw fault()
    }
    return () => {
      database.write = write
    }
  }
}

for (const [step, begin] of Object.entries(steps)) {
  t.test(`a log that fails ${step}: nothing of the content is told`, async t => {
    const { x, sources } = await setUp(t)
    for (const source of sources) {
      for (const [form, ask] of Object.entries(forms)) {
        const [method, headers] = ask(source.etag)
        const label = `${form} of ${source.path.replace(/[0-9a-f-]{36}/g, '…')}`
        await x.client(source.who).token()
        const mend = begin(x)
        const call = await x.raw(source.who, `${method} ${source.path}`, headers)
        const head = await call.head()
        const got = await call.rest()
        mend()
        // A form that is no request for content, such as several ranges of an archive, is refused
        // as ever; its refusal is what could not be written.
        t.equal(head.status, 503, label)
        t.notOk(got.includes(MARKER) || /\d{10}\n\d{10}/.test(got.toString()), `${label}: no byte`)
        for (const name of ['etag', 'content-range', 'content-disposition', 'accept-ranges']) {
          t.notOk(name in head.headers, `${label}: no ${name}`)
        }
      }
    }
    t.equal(x.exchange.disclosures.unwritten(), 0)

    // What may have been stored is marked at the next start, and never counts as complete.
    await x.restart()
    const ends = (await x.auditEvents({ action: 'content.read' })).filter(event => event.grantId)
    t.same(
      ends.filter(event => event.outcome !== 'interrupted'),
      []
    )
    t.equal(ends.length > 0, step.startsWith('after'), `${ends.length} interrupted`)
    await assertSound(t, x, [MARKER])
  })
}

t.test('a log that fails at the end of content keeps the end, and stops the rest', async t => {
  const { x, sources } = await setUp(t)
  const { audit, disclosures } = x.exchange
  const readers: Record<string, (source: Source) => Promise<{ id: string; got: number }>> = {
    'to the end': async ({ who, path }) => {
      const call = await x.raw(who, `GET ${path}`)
      const { headers } = await call.head()
      return { id: String(headers['x-request-id']), got: (await call.rest()).length }
    },
    'a part of it': async ({ who, path }) => {
      const call = await x.raw(who, `GET ${path}`, { range: 'bytes=7-2006' })
      const { headers } = await call.head()
      return { id: String(headers['x-request-id']), got: (await call.rest()).length }
    },
    'and hangs up': async ({ who, path }) => {
      const call = await x.raw(who, `GET ${path}`)
      const { headers } = await call.head()
      const got = (await call.take(1000)).length
      call.abort()
      return { id: String(headers['x-request-id']), got }
    }
  }
  for (const [reader, read] of Object.entries(readers)) {
    for (const source of sources) {
      const { append } = audit
      audit.append = async (tx, event) => {
        if (isOfContent(event) && event.grantId !== undefined) throw fault()
        return append(tx, event)
      }
      const { id, got } = await read(source)
      await eventually('its end could not be written', () =>
        disclosures.unwritten() === 1 ? true : undefined
      )
      for (const [method, headers] of Object.values(forms).map(form => form(source.etag))) {
        const refused = await x.raw(source.who, `${method} ${source.path}`, headers)
        if ((await refused.head()).status !== 503) t.fail(`${method} goes on`)
        if ((await refused.rest()).includes(MARKER)) t.fail('content without an event')
      }

      audit.append = append
      const events = await x.auditEvents({ action: 'content.read' })
      const own = events.filter(event => event.details['requestId'] === id)
      t.same(
        own.map(event => event.outcome === 'granted'),
        [true, false],
        `${reader}: two events`
      )
      t.ok(Number(own[1]?.bytesHandedOver) >= got, `${reader}: all that arrived is on the log`)
    }
  }
  await assertSound(t, x, [MARKER])
})
