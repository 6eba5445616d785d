import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { compactVerify, createLocalJWKSet } from 'jose'
import type { Answer as ChecklistAnswer } from '../../schemas/checklist.ts'
import type { OpinionView, OpinionWrite } from '../../schemas/opinion.ts'
import type { RecordView } from '../../schemas/record.ts'
import type { RequestWrite } from '../../schemas/request.ts'
import type { OpenedShare, ShareManifest } from '../../schemas/share.ts'
import type { ApiClient, DemoService } from '../demo-service.ts'
import { check } from './check.ts'
import type { Mail, PostBox } from './post-box.ts'

// What every second opinion is made of, each step through HTTP and checked.

const DAY_MILLISECONDS = 86_400_000

/** The date so many days from today, in UTC. */
export const day = (days: number): string =>
  new Date(Date.now() + days * DAY_MILLISECONDS).toISOString().slice(0, 10)

export interface Patient {
  identifier: { system: string; value: string }
  name: string
  birthDate: string
}

export interface SentFile {
  name: string
  bytes: Buffer
}

export async function makeCase(
  { clinician }: DemoService,
  patient: Patient,
  question: string
): Promise<string> {
  const { id } = await clinician.json<{ id: string }>('POST', '/v1/cases', { patient, question })
  return id
}

/** A file of the samples as it is sent. */
export const fileAt = (path: string): SentFile => ({
  name: basename(path),
  bytes: readFileSync(path)
})

/** Uploads one record and compares its digests with those of the files. */
export async function upload(
  { clinician }: DemoService,
  caseId: string,
  fields: { kind: string; title: string },
  files: SentFile[]
): Promise<RecordView> {
  const form = new FormData()
  for (const [name, value] of Object.entries({ ...fields, date: day(-7) })) form.append(name, value)
  for (const { name, bytes } of files) form.append('file', new Blob([Uint8Array.from(bytes)]), name)
  const record = await clinician.form<RecordView>(`/v1/cases/${caseId}/records`, form)
  const isSame = files.every(({ bytes }, i) => record.objects[i]?.sha256 === digestOf(bytes))
  check(`${fields.title}: ${files.length} files, stored as they were sent`, isSame)
  return record
}

/** Writes the request, answers the checklist of its condition, and says that the case is complete. */
export async function ask(
  { clinician }: DemoService,
  caseId: string,
  request: RequestWrite,
  answers: ChecklistAnswer[]
): Promise<void> {
  const path = `/v1/cases/${caseId}`
  const early = await clinician.send('POST', `${path}/complete`)
  check(`complete before it is: ${early.status}`, early.status === 422)
  await put(clinician, `${path}/request`, request)
  await put(clinician, `${path}/checklist`, { answers })
  await clinician.json('POST', `${path}/complete`)
  const { state } = await clinician.json<{ state: string }>('GET', path)
  check('the case is complete', state === 'complete')
}

/** Records that the patient was shown the newest text of this kind and agreed. */
export async function recordConsent(service: DemoService, caseId: string): Promise<void> {
  const { clinician } = service
  const { texts } = await clinician.json<Texts>('GET', '/v1/consent-texts')
  const shown = texts.findLast(({ kind }) => kind === 'second-opinion')
  await clinician.json('POST', `/v1/cases/${caseId}/consents`, {
    kind: 'second-opinion',
    text: { version: shown?.version, sha256: shown?.sha256 },
    givenBy: { who: 'patient' },
    takenBy: 'Dr Alice Example, consultant',
    how: 'in-person',
    givenAt: new Date(Date.now() - 60_000).toISOString()
  })
  const list = await clinician.json<{ secondOpinion: string }>(
    'GET',
    `/v1/cases/${caseId}/consents`
  )
  check('the patient’s consent is on record', list.secondOpinion === 'given')
}

interface Texts {
  texts: { kind: string; version: number; sha256: string }[]
}

/** The specialist takes the link from their mail, opens it and downloads every file. */
export async function openFromMail(
  mails: PostBox,
  specialist: ApiClient,
  address: string,
  subject = /shared with you/
): Promise<{ opened: OpenedShare; files: number }> {
  const mail = await mails.next(address, subject)
  const link = /https?:\/\/\S+#\S+/.exec(mail.text)?.[0]
  check(`${address} has a mail with a link`, link !== undefined)
  const opened = await specialist.json<OpenedShare>('POST', '/v1/links/open', { link })
  const manifest = await specialist.json<ShareManifest>('GET', `/v1/shares/${opened.id}`)
  let files = 0
  let identical = 0
  for (const record of manifest.records) {
    for (const object of record.objects) {
      const path = `/v1/shares/${opened.id}/records/${record.id}/objects/${object.id}/content`
      const answer = await specialist.send('GET', path)
      files += 1
      if (digestOf(Buffer.from(await answer.arrayBuffer())) === object.sha256) identical += 1
    }
  }
  check(`${identical} of ${files} files came whole`, files > 0 && identical === files)
  return { opened, files }
}

/** Saves an opinion, is refused while something is missing, and submits it. */
export async function opine(
  specialist: ApiClient,
  shareId: string,
  opinion: OpinionWrite
): Promise<OpinionView> {
  const path = `/v1/shares/${shareId}/opinion`
  const [first] = opinion.answers
  const partial = { ...opinion, answers: first ? [first] : [] }
  const tag = await put(specialist, path, partial)
  const early = await specialist.send('POST', `${path}/submit`, undefined, { 'if-match': tag })
  check(`submitting with a question open: ${early.status}`, early.status === 422)
  const whole = await put(specialist, path, opinion)
  const sent = await specialist.send('POST', `${path}/submit`, undefined, { 'if-match': whole })
  check('the opinion is submitted', sent.status === 200)
  return (await sent.json()) as OpinionView
}

/** The clinician is told, reads the opinion, checks its signature, has its PDF, and says so. */
export async function receive(
  service: DemoService,
  mails: PostBox,
  { shareId, from, to }: { shareId: string; from: string; to: string }
): Promise<OpinionView> {
  const { clinician, anonymous } = service
  await mails.next(to, /opinion has been returned/)
  const path = `/v1/shares/${shareId}/opinion`
  const opinion = await clinician.json<OpinionView>('GET', path)
  const jwks = await anonymous.json<Parameters<typeof createLocalJWKSet>[0]>(
    'GET',
    '/.well-known/jwks.json'
  )
  const verified = await compactVerify(String(opinion.signed), createLocalJWKSet(jwks)).catch(
    () => undefined
  )
  check('its signature verifies with the published key', verified !== undefined)
  const pdf = await clinician.send('GET', `/v1/records/${opinion.record}/content`)
  const bytes = Buffer.from(await pdf.arrayBuffer())
  check('its PDF is a record of the case', bytes.subarray(0, 5).toString() === '%PDF-')
  await clinician.json('POST', `${path}/acknowledgement`)
  await mails.next(from, /opinion has been received/)
  check('the specialist knows that it arrived', true)
  return opinion
}

/** No mail may say who the patient is, or what they have. */
export function checkMails(mails: PostBox, words: string[]): void {
  const told = (mail: Mail) => `${mail.subject} ${mail.text} ${mail.html}`
  const leaks = mails.mails.filter(mail => words.some(word => told(mail).includes(word)))
  check(
    `${mails.mails.length} mails, and none names the patient or what is asked`,
    leaks.length === 0
  )
}

/** Every disclosure of the case, as the patient may be told of it. */
export async function report({ auditor }: DemoService, caseId: string): Promise<number> {
  const { disclosures } = await auditor.json<{ disclosures: unknown[] }>(
    'POST',
    '/v1/audit/reports',
    {
      case: caseId,
      format: 'json'
    }
  )
  return disclosures.length
}

/** Writes over what is there, and answers the new ETag. */
async function put(client: ApiClient, path: string, body: unknown): Promise<string> {
  const before = await client.send('GET', path)
  const tag = before.headers.get('etag') ?? '"0"'
  const answer = await client.send('PUT', path, body, { 'if-match': tag })
  if (!answer.ok) throw new Error(`PUT ${path}: ${answer.status} ${await answer.text()}`)
  return String(answer.headers.get('etag'))
}

export function digestOf(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}
