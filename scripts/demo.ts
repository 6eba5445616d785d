import { createHash } from 'node:crypto'
import { openAsBlob, readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { parseArgs } from 'node:util'
import { brainSeries, pathologyReport, referralLetter } from '../test/samples/samples.ts'
import { type DemoService, startDemoService } from './demo-service.ts'
import { breastCancerAbroad } from './stories/breast-cancer-abroad.ts'
import { check, failed } from './stories/check.ts'
import { kneeDiffers } from './stories/knee-differs.ts'
import { openPostBox, type PostBox } from './stories/post-box.ts'

// One whole exchange through real HTTP, on real records and a throw-away data directory; with --story
// a whole second opinion, from the request to the answer, with real mail to a server on this machine.
// Exit code 0 only if every digest matched, every refusal refused and every mail came.

const NHS_NUMBER = { system: 'https://fhir.nhs.uk/Id/nhs-number', value: '999 000 0018' }

interface Shown {
  id: string
  records: { id: string; title: string; objects: { id: string; bytes: number; sha256: string }[] }[]
}

const stories: Record<string, (service: DemoService, mails: PostBox) => Promise<void>> = {
  'breast-cancer-abroad': breastCancerAbroad,
  'knee-differs': kneeDiffers
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { story: { type: 'string' } } })
  const story = values.story === undefined ? exchange : stories[values.story]
  if (story === undefined) {
    console.log(`There are the stories ${Object.keys(stories).join(', ')}, and one without a name.`)
    process.exitCode = 2
    return
  }
  console.log('Starting a service on a throw-away data directory …')
  const mails = await openPostBox()
  const service = await startDemoService(mails.settings)
  try {
    await story(service, mails)
  } finally {
    await service.stop()
    mails.close()
  }
  const failures = failed()
  console.log(failures === 0 ? '\nThe exchange is whole.' : `\n${failures} checks FAILED.`)
  process.exitCode = failures === 0 ? 0 : 1
}

async function exchange(service: DemoService): Promise<void> {
  const { clinician, specialist, stranger, colleague, auditor } = service
  console.log('\n1. The treating clinician makes a case and uploads three records')
  const { id: caseId } = await clinician.json<{ id: string }>('POST', '/v1/cases', {
    patient: { identifier: NHS_NUMBER, name: 'TEST, Patient One', birthDate: '1970-01-01' },
    question: 'Is resection advisable, or is watchful waiting the better course?'
  })
  const upload = async (kind: string, title: string, files: string[]) => {
    const form = new FormData()
    for (const [name, value] of Object.entries({ kind, title, date: '2026-11-02' })) {
      form.append(name, value)
    }
    for (const file of files) form.append('file', await openAsBlob(file), basename(file))
    const path = `/v1/cases/${caseId}/records`
    const record = await clinician.form<Shown['records'][number]>(path, form)
    const bytes = record.objects.reduce((total, object) => total + object.bytes, 0)
    console.log(`       ${title}: ${files.length} files, ${(bytes / 1e6).toFixed(1)} MB`)
    const right = files.every(
      (file, i) => record.objects[i]?.sha256 === digestOf(readFileSync(file))
    )
    check(`digests of ${title} as stored`, right && record.objects.length === files.length)
    return record
  }
  const scan = await upload('scan', 'MRI brain', brainSeries())
  const report = await upload('pathology-report', 'Histopathology report', [pathologyReport])
  const letter = await upload('letter', 'Referral letter', [referralLetter])

  console.log('\n2. They share them with one specialist in Boston for 72 hours')
  const share = {
    specialist: service.specialistId,
    records: [scan.id, report.id, letter.id],
    purpose: 'Second opinion before surgery'
  }
  const unsafe = await clinician.send('POST', `/v1/cases/${caseId}/shares`, share)
  check('a transfer to the US without a safeguard is refused', unsafe.status === 422)
  const { id: shareId, link } = await clinician.json<{ id: string; link: string }>(
    'POST',
    `/v1/cases/${caseId}/shares`,
    { ...share, safeguard: safeguard() }
  )
  console.log(`       ${link.slice(0, 60)}…`)

  console.log('\n3. Only that specialist can open it')
  for (const [who, client, status] of [
    ['nobody', service.anonymous, 401],
    ['another specialist', stranger, 404],
    ['the clinician who sent it', clinician, 403],
    ['the auditor', auditor, 403]
  ] as const) {
    const answer = await client.send('POST', '/v1/links/open', { link })
    check(`${who}: ${answer.status}`, answer.status === status)
  }
  const [head = '', claims = '', signature = ''] = link.split('.')
  const forged = `${head}.${claims}.${signature.slice(0, 40)}${signature.slice(40, 80).split('').reverse().join('')}${signature.slice(80)}`
  const forgery = await specialist.send('POST', '/v1/links/open', { link: forged })
  check(`a forged link: ${forgery.status}`, forgery.status === 404)
  const otherTrust = await colleague.send('GET', `/v1/cases/${caseId}`)
  check(`a clinician of another hospital: ${otherTrust.status}`, otherTrust.status === 404)

  console.log('\n4. The specialist opens the link and downloads everything')
  await specialist.json('POST', '/v1/links/open', { link })
  const opened = await specialist.json<Shown>('GET', `/v1/shares/${shareId}`)
  const originals = new Map([scan, report, letter].map(record => [record.id, record]))
  const sources = [...brainSeries(), pathologyReport, referralLetter].map(file =>
    readFileSync(file)
  )
  const known = new Set(sources.map(digestOf))
  let identical = 0
  for (const record of opened.records) {
    for (const object of record.objects) {
      const path = `/v1/shares/${shareId}/records/${record.id}/objects/${object.id}/content`
      const answer = await specialist.send('GET', path)
      const digest = digestOf(Buffer.from(await answer.arrayBuffer()))
      if (digest === object.sha256 && known.has(digest) && originals.has(record.id)) identical += 1
      if (process.stdout.isTTY) process.stdout.write(`\r       ${identical} files`)
    }
  }
  if (process.stdout.isTTY) console.log()
  check(
    `${identical} of ${sources.length} files are byte for byte the same`,
    identical === sources.length
  )
  const contentPath = `/v1/shares/${shareId}/records/${report.id}/content`
  const part = await specialist.send('GET', contentPath, undefined, { range: 'bytes=0-4' })
  check(
    'a range of the report begins with %PDF-',
    part.status === 206 && (await part.text()) === '%PDF-'
  )

  console.log('\n5. The clinician withdraws the share, and the door is shut')
  await clinician.json('DELETE', `/v1/shares/${shareId}`)
  for (const [what, answer] of [
    ['reading on', await specialist.send('GET', contentPath)],
    ['opening the link again', await specialist.send('POST', '/v1/links/open', { link })]
  ] as const) {
    check(`${what}: ${answer.status}`, answer.status === 410)
  }

  console.log('\n6. The auditor asks who saw this patient’s records')
  await showLog(service)
}

interface Line {
  at: string
  action: string
  outcome: string
  code?: string
  actor?: { name?: string }
  bytesHandedOver?: number
}

async function showLog({ auditor }: DemoService): Promise<void> {
  const lines: Line[] = []
  let cursor: string | undefined
  do {
    const page: { events: Line[]; next?: string } = await auditor.json(
      'POST',
      '/v1/audit/events/search',
      { patient: NHS_NUMBER, limit: 200, ...(cursor && { cursor }) }
    )
    lines.push(...page.events)
    cursor = page.next
  } while (cursor)
  lines.reverse()
  const content = lines.filter(line => line.action === 'content.read')
  for (const line of lines
    .filter(line => line.action !== 'content.read')
    .concat(content.slice(-4))) {
    const bytes = line.bytesHandedOver === undefined ? '' : `${line.bytesHandedOver} bytes`
    console.log(
      `  ${line.at.slice(11, 23)}  ${(line.actor?.name ?? 'unknown').padEnd(20)} ${line.action.padEnd(14)} ${line.outcome.padEnd(9)} ${line.code ?? bytes}`
    )
  }
  const count = (outcome: string) => content.filter(line => line.outcome === outcome).length
  console.log(`  (${content.length} lines on content, of which the last four are shown)`)
  check('every disclosure has its two events', count('granted') === 23 && count('complete') === 23)
  check('every refusal is there', lines.filter(line => line.outcome === 'refused').length >= 4)
}

function safeguard() {
  const date = (days: number) => new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10)
  const riskAssessment = { id: 'TRA-2026-9', date: date(-40), outcome: 'not-materially-lower' }
  return {
    type: 'idta',
    reference: 'IDTA-2026-014',
    date: date(-30),
    expires: date(335),
    riskAssessment
  }
}

function digestOf(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}

await main()
