import { deflateSync } from 'node:zlib'
import { asc } from '../../../schemas/drizzle.ts'
import type { RecordView } from '../../../schemas/record.ts'
import { scanRound } from '../../../src/records/scan/background.ts'
import type { Answer, PersonName } from '../../helpers/exchange.ts'
import {
  type createCase,
  PURPOSE,
  type SampleFile,
  type startExchange,
  type TestExchange
} from '../../helpers/exchange.ts'

export type Stage = Awaited<ReturnType<typeof startExchange>>
export type Case = Awaited<ReturnType<typeof createCase>>

/** A PDF of one page whose one stream holds these bytes, as they are or deflated. */
export function pdfWith(content: Buffer, isDeflated = false): Buffer {
  const stream = isDeflated ? deflateSync(content) : content
  const filter = isDeflated ? '/Filter /FlateDecode ' : ''
  const objects = [
    '<< /Type /Catalog /Pages 2 0 R >>',
    '<< /Type /Pages /Kids [3 0 R] /Count 1 >>',
    '<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 200] /Contents 4 0 R >>'
  ].map(text => Buffer.from(text))
  const last = Buffer.concat([
    Buffer.from(`<< ${filter}/Length ${stream.length} >>\nstream\n`),
    stream,
    Buffer.from('\nendstream')
  ])
  let pdf = Buffer.from('%PDF-1.4\n')
  const places: number[] = []
  for (const [n, object] of [...objects, last].entries()) {
    places.push(pdf.length)
    pdf = Buffer.concat([pdf, Buffer.from(`${n + 1} 0 obj\n`), object, Buffer.from('\nendobj\n')])
  }
  const lines = places.map(place => `${String(place).padStart(10, '0')} 00000 n \n`)
  const xref = `xref\n0 5\n0000000000 65535 f \n${lines.join('')}trailer\n<< /Root 1 0 R /Size 5 >>\n`
  return Buffer.concat([pdf, Buffer.from(`${xref}startxref\n${pdf.length}\n%%EOF\n`)])
}

export const file = (name: string, bytes: Buffer | string): SampleFile => ({
  name,
  bytes: Buffer.from(bytes)
})

export function objectRows({ exchange }: TestExchange) {
  const { read } = exchange.database
  return read.select().from(read.tables.objects).orderBy(asc(read.tables.objects.id))
}

/** One round of the background scan. */
export const scanNow = (x: TestExchange): Promise<number> => scanRound(x.exchange)

export function readRecord(x: TestExchange, id: string): Promise<RecordView> {
  return x.client('clinician').json('GET', `/v1/records/${id}`)
}

/** Tries to share records, whatever comes of it. */
export function sendShare(
  x: TestExchange,
  caseId: string,
  records: string[],
  specialist: PersonName = 'specialistGb'
): Promise<Answer> {
  return x.client('clinician').send('POST', `/v1/cases/${caseId}/shares`, {
    specialist: x.people[specialist].accountId,
    records,
    purpose: PURPOSE
  })
}

/** What the record and its only file say of the scan. */
export async function toldOf(x: TestExchange, recordId: string) {
  const { quarantine, objects } = await readRecord(x, recordId)
  const { scan, scanReason, scanSignature } = objects[0] ?? {}
  return { quarantine, scan, scanReason, scanSignature }
}
