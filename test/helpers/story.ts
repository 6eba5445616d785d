import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { basename } from 'node:path'
import type { CaseView } from '../../schemas/case.ts'
import type { RecordView } from '../../schemas/record.ts'
import type { OpenedShare, ShareCreate, ShareView } from '../../schemas/share.ts'
import type { Safeguard } from '../../schemas/transfer.ts'
import type { Answer, Client } from './client.ts'
import type { PersonName } from './people.ts'

export type { CaseView, OpenedShare, RecordView, ShareView }

/** The part of a running exchange that a story is told with. */
interface Stage {
  client(who?: PersonName): Client
  people: Record<PersonName, { accountId: string }>
  clock: { now(): number }
}

/** From the range of NHS numbers that is never issued. */
export const NHS_NUMBER = '9990000018'
export const NHS_SYSTEM = 'https://fhir.nhs.uk/Id/nhs-number'
export const PATIENT_NAME = 'QUILLFEATHER, Ottoline'
export const BIRTH_DATE = '1951-03-17'
export const QUESTION = 'Is resection of the left temporal glioma advisable?'
export const PURPOSE = 'Second opinion before neurosurgery in spring'

export interface SampleFile {
  name: string
  bytes: Buffer
  type?: string
  /** The value of the repr-digest field sent before it. */
  digest?: string
}

export interface ShareMade {
  id: string
  link: string
  notBefore: string
  expiresAt: string
}

/** A file of the disk as it is uploaded. */
export function sampleFile(path: string): SampleFile {
  return { name: basename(path), bytes: readFileSync(path) }
}

/** A plain-text file of this many bytes in which every place can be told from every other. */
export function numberedText(bytes: number, name = 'numbers.txt'): SampleFile {
  const text = Buffer.alloc(bytes, '\n')
  for (let at = 0; at + 11 <= bytes; at += 11) text.write(`${String(at).padStart(10, '0')}\n`, at)
  return { name, bytes: text }
}

export function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}

export function createCase(client: Client, nhsNumber = NHS_NUMBER): Promise<CaseView> {
  return client.json('POST', '/v1/cases', {
    patient: {
      identifier: { system: NHS_SYSTEM, value: nhsNumber },
      name: PATIENT_NAME,
      birthDate: BIRTH_DATE
    },
    question: QUESTION
  })
}

export interface RecordInput {
  kind?: string
  title?: string
  date?: string
  files: SampleFile[]
}

/** The form of an upload: the fields, then each file with its digest before it. */
export function recordForm(record: RecordInput): FormData {
  const form = new FormData()
  form.append('kind', record.kind ?? 'other')
  form.append('title', record.title ?? 'Unremarkable heron document')
  form.append('date', record.date ?? '2026-11-02')
  for (const { name, bytes, type, digest } of record.files) {
    if (digest !== undefined) form.append('repr-digest', digest)
    form.append('file', new Blob([new Uint8Array(bytes)], type ? { type } : {}), name)
  }
  return form
}

/** Sends an upload, whatever comes of it. */
export function sendRecord(client: Client, caseId: string, record: RecordInput): Promise<Answer> {
  return client.send('POST', `/v1/cases/${caseId}/records`, recordForm(record))
}

/** Uploads one record and expects it to be taken. */
export function uploadRecord(
  client: Client,
  caseId: string,
  record: RecordInput
): Promise<RecordView> {
  return client.json('POST', `/v1/cases/${caseId}/records`, recordForm(record))
}

/** An agreement with its risk assessment that holds for some days around now. */
export function safeguard(now: number, change: Partial<Safeguard> = {}): Safeguard {
  const day = (offset: number) => new Date(now + offset * 86_400_000).toISOString().slice(0, 10)
  return {
    type: 'idta',
    reference: 'IDTA-2026-014',
    date: day(-30),
    expires: day(335),
    riskAssessment: { id: 'TRA-2026-9', date: day(-40), outcome: 'not-materially-lower' },
    ...change
  }
}

/** What an attestation for a conditional country holds; that of the United States by default. */
export function attestation(now: number, change: Partial<Safeguard> = {}): Safeguard {
  const { riskAssessment: _, ...dated } = safeguard(now)
  return {
    ...dated,
    type: 'adequacy-condition',
    reference: 'DPF-UK-44871',
    condition: 'dpf-uk-extension',
    markedSensitive: true,
    ...change
  }
}

/** Shares records of a case with a specialist and expects it to be allowed. */
export function shareRecords(
  stage: Stage,
  caseId: string,
  records: string[],
  change: Partial<ShareCreate> & { with?: PersonName; by?: PersonName } = {}
): Promise<ShareMade> {
  const { with: specialist = 'specialistGb', by = 'clinician', ...rest } = change
  const { accountId } = stage.people[specialist]
  return stage.client(by).json('POST', `/v1/cases/${caseId}/shares`, {
    specialist: accountId,
    records,
    purpose: PURPOSE,
    ...rest
  })
}

/** Opens a link, whatever comes of it. */
export function sendLink(client: Client, link: string): Promise<Answer> {
  return client.send('POST', '/v1/links/open', { link })
}

/** Opens a link and expects it to open. */
export function openShare(client: Client, link: string): Promise<OpenedShare> {
  return client.json('POST', '/v1/links/open', { link })
}

/** Where the content of a shared record, or of one file of it, is read. */
export function sharedPath(shareId: string, recordId: string, objectId?: string): string {
  const record = `/v1/shares/${shareId}/records/${recordId}`
  return objectId === undefined ? `${record}/content` : `${record}/objects/${objectId}/content`
}

export interface Shared {
  caseId: string
  record: RecordView
  share: ShareMade
  /** Where its specialist reads the record. */
  path: string
}

/**
 * The whole beginning in one go: a case, a record of these files, a share of it with `specialistGb`
 * (or whom `change` names). It is opened unless `opened` is false.
 */
export async function sharedRecord(
  stage: Stage,
  files: SampleFile[],
  change: Partial<ShareCreate> & { with?: PersonName; opened?: boolean } = {}
): Promise<Shared> {
  const { opened = true, ...share } = change
  const { id: caseId } = await createCase(stage.client('clinician'))
  const record = await uploadRecord(stage.client('clinician'), caseId, { files })
  const made = await shareRecords(stage, caseId, [record.id], share)
  if (opened) await openShare(stage.client(share.with ?? 'specialistGb'), made.link)
  return { caseId, record, share: made, path: sharedPath(made.id, record.id) }
}
