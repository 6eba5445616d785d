import { readFileSync } from 'node:fs'
import t, { type Test } from 'tap'
import type { ShareManifest } from '../../schemas/share.ts'
import {
  createCase,
  NHS_NUMBER,
  NHS_SYSTEM,
  openShare,
  QUESTION,
  type RecordView,
  safeguard,
  sampleFile,
  sendLink,
  sha256,
  sharedPath,
  shareRecords,
  startExchange,
  uploadRecord
} from '../helpers/exchange.ts'
import { newPrefix, s3Server } from '../helpers/s3.ts'
import { brainSeries, letter, pathologyReport } from '../samples/samples.ts'

interface Line {
  action: string
  outcome: string
  code?: string
  actor?: { id: string; name?: string }
}

const title = 'a case travels abroad, is read, and the door is shut again'
t.test(title, t => story(t))

t.test(`${title}, with its objects in S3`, async t => {
  const server = await s3Server(t)
  if (server === undefined) return
  await story(t, server.env(newPrefix()))
})

async function story(t: Test, env: Record<string, string> = {}): Promise<void> {
  const exchange = await startExchange(t, { env })
  const clinician = exchange.client('clinician')
  const specialist = exchange.client('specialistUs')

  // A treating clinician's system uploads a brain scan, a pathology report and a letter.
  const { id: caseId } = await createCase(clinician)
  const upload = (kind: string, title: string, paths: string[]) =>
    uploadRecord(clinician, caseId, { kind, title, files: paths.map(sampleFile) })
  const originals = new Map<string, string[]>()
  for (const [kind, title, paths] of [
    ['scan', 'MRI brain', brainSeries()],
    ['pathology-report', 'Histopathology', [pathologyReport]],
    ['letter', 'Letter', [letter]]
  ] as const) {
    originals.set((await upload(kind, title, [...paths])).id, [...paths])
  }
  const records = [...originals.keys()]

  // It shares them with one named specialist abroad for 72 hours.
  const now = exchange.clock.now()
  const share = await shareRecords(exchange, caseId, records, {
    with: 'specialistUs',
    safeguard: safeguard(now)
  })
  const hours = (Date.parse(share.expiresAt) - Date.parse(share.notBefore)) / 3_600_000
  t.equal(hours, 72)

  // Nobody else can open it.
  const others = {
    stranger: 404,
    specialistGb: 404,
    clinician: 403,
    otherClinician: 403,
    auditor: 403,
    administrator: 403
  } as const
  for (const [who, status] of Object.entries(others)) {
    const answer = await sendLink(exchange.client(who as keyof typeof others), share.link)
    t.equal(answer.status, status, who)
  }
  t.equal((await sendLink(exchange.client(), share.link)).status, 401)

  // The specialist opens the link and downloads byte-identical files.
  const opened = await openShare(specialist, share.link)
  t.match(opened, { id: share.id, question: QUESTION, openings: 1 })
  t.same(
    opened.records.map(record => record.id),
    records
  )
  const manifest = await specialist.json<ShareManifest>('GET', `/v1/shares/${share.id}`)
  const identical = await downloadAll(manifest.records)
  t.equal(identical, 22)

  // The auditor asks who saw what and gets the answer.
  const lines = await linesAbout(NHS_NUMBER)
  const us = exchange.people.specialistUs
  const reads = lines.filter(line => line.action === 'content.read')
  t.equal(reads.filter(line => line.outcome === 'granted').length, 22)
  t.equal(reads.filter(line => line.outcome === 'complete').length, 22)
  t.ok(reads.every(line => line.actor?.id === us.accountId && line.actor.name === us.name))
  const refused = lines.filter(line => line.outcome === 'refused')
  t.same(
    refused.map(line => `${line.action} ${line.code}`),
    ['link.open share-not-found', 'link.open share-not-found'],
    'both other specialists'
  )

  // The clinician revokes and the door is shut.
  await clinician.json('DELETE', `/v1/shares/${share.id}`)
  const [first = ''] = records
  for (const path of [sharedPath(share.id, first), `/v1/shares/${share.id}`]) {
    t.match(await specialist.send('GET', path), { status: 410, json: { code: 'share-revoked' } })
  }
  t.match(await sendLink(specialist, share.link), { status: 410, json: { code: 'share-revoked' } })

  async function downloadAll(shown: RecordView[]): Promise<number> {
    let identical = 0
    for (const record of shown) {
      const paths = originals.get(record.id) ?? []
      t.equal(record.objects.length, paths.length)
      for (const [index, object] of record.objects.entries()) {
        const original = readFileSync(String(paths[index]))
        const answer = await specialist.send('GET', sharedPath(share.id, record.id, object.id))
        t.equal(answer.status, 200)
        t.equal(object.sha256, sha256(original), 'the digest that was told')
        const digest = `sha-256=:${Buffer.from(object.sha256, 'hex').toString('base64')}:`
        t.equal(answer.headers.get('repr-digest'), digest)
        if (answer.bytes.equals(original)) identical += 1
      }
    }
    return identical
  }

  async function linesAbout(value: string): Promise<Line[]> {
    const lines: Line[] = []
    let cursor: string | undefined
    await exchange.auditEvents()
    do {
      const page: { events: Line[]; next?: string } = await exchange
        .client('auditor')
        .json('POST', '/v1/audit/events/search', {
          patient: { system: NHS_SYSTEM, value },
          limit: 20,
          ...(cursor && { cursor })
        })
      lines.push(...page.events)
      cursor = page.next
    } while (cursor)
    return lines
  }
}
