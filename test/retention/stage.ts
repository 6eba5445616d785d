import type { ErasureView } from '../../schemas/retention.ts'
import { opinionReceived } from '../../src/cases/move.ts'
import { createCase, numberedText, type TestExchange, uploadRecord } from '../helpers/exchange.ts'

export const ORDER = { reason: 'The patient withdrew by telephone' }

/** Has an administrator of City Hospital erase a case, and expects it to be done. */
export function erase(x: TestExchange, caseId: string): Promise<ErasureView> {
  return x.client('administrator').json('POST', `/v1/cases/${caseId}/erasure`, ORDER)
}

/** Every blob that the store shows. */
export async function blobNames(x: TestExchange): Promise<string[]> {
  const names: string[] = []
  for await (const { name } of x.exchange.blobs.list()) names.push(name)
  return names
}

/** An opinion comes back through the live share of a case. */
export async function giveOpinion(x: TestExchange, caseId: string): Promise<void> {
  const { database, clock } = x.exchange
  const { shares } = database.read.tables
  const rows = await database.read.select().from(shares)
  const share = rows.find(row => row.caseId === caseId)
  if (share === undefined) throw new Error('The case has no share.')
  await database.write(tx =>
    opinionReceived(tx, { caseId, shareId: share.id, by: share.specialistId, at: clock() })
  )
}

/** A case of City Hospital with one record of these files. */
export async function newCase(x: TestExchange, files = [numberedText(10)]) {
  const clinician = x.client('clinician')
  const { id } = await createCase(clinician)
  const { id: recordId } = await uploadRecord(clinician, id, { files })
  return { id, recordId }
}

export const goOn = () => true
