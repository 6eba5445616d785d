import { createSecretKey } from 'node:crypto'
import { DatabaseSync } from 'node:sqlite'
import { caseKeyContext, sealCaseDetails } from '../../src/cases/case.ts'
import type { OpenData } from '../../src/open-data.ts'
import { sealRecordDetails } from '../../src/records/record.ts'
import { newKey, recordKeyContext, wrapKey } from '../../src/sealing/keys.ts'
import { sealTerms } from '../../src/shares/share.ts'
import { patientNumbered } from './audit-population.ts'
import type { Generated } from './audit-rows.ts'

/**
 * Seals what made-up events are about (audit-rows.ts) as the service would have, for the organisation
 * that is asked about: its cases, records and shares can be opened by their pages then. No service may
 * run on the file. Stopped half-way, the file is lost.
 */
export async function sealRows(
  file: string,
  { keyring }: Pick<OpenData, 'keyring'>,
  { organisationId, cases, records, patients }: Generated
): Promise<void> {
  const connection = new DatabaseSync(file)
  const restoreTriggers = dropTriggers(connection)
  const putCase = connection.prepare(
    'UPDATE cases SET wrapped_key = ?, details_sealed = ? WHERE id = ?'
  )
  const putRecord = connection.prepare(
    'UPDATE records SET wrapped_key = ?, details_sealed = ? WHERE id = ?'
  )
  const sharesOf = connection.prepare(
    'SELECT id, recipient_country AS country FROM shares WHERE case_id = ?'
  )
  const putShare = connection.prepare('UPDATE shares SET terms_sealed = ? WHERE id = ?')
  connection.exec('BEGIN')
  for (const [place, id] of cases.entries()) {
    const identifier = patients[place] ?? patientNumbered(0)
    const [key, wrapped] = await wrappedKey(keyring, caseKeyContext({ organisationId, id }))
    const details = {
      patient: { identifier, name: `TEST, Number ${place}`, birthDate: '1970-01-01' },
      question: 'Is resection advisable, or is watchful waiting the better course?'
    }
    putCase.run(wrapped, sealCaseDetails(key, id, details), id)
    for (const share of sharesOf.all(id)) {
      const country = String(share.country)
      const transfer = { country, basis: 'adequacy', listAsOf: '2026-11-01' }
      const terms = sealTerms(key, String(share.id), { purpose: 'Second opinion', transfer })
      putShare.run(terms, String(share.id))
    }
    const recordId = records[place] ?? ''
    const [own, ownWrapped] = await wrappedKey(keyring, recordKeyContext(organisationId, recordId))
    const named = { title: `MRI of the head ${place}`, date: '2026-11-02' }
    putRecord.run(ownWrapped, sealRecordDetails(own, recordId, named), recordId)
  }
  restoreTriggers()
  connection.exec('COMMIT')
  connection.close()
}

/** They keep rows as they were made; these were made as if they had been sealed at once. */
function dropTriggers(connection: DatabaseSync): () => void {
  const triggers = connection
    .prepare(
      "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' AND tbl_name IN ('cases', 'records', 'shares')"
    )
    .all()
  for (const { name } of triggers) connection.exec(`DROP TRIGGER ${name}`)
  return () => {
    for (const { sql } of triggers) connection.exec(String(sql))
  }
}

async function wrappedKey(keyring: OpenData['keyring'], context: Buffer) {
  const key = newKey()
  return [createSecretKey(key), await wrapKey(keyring, context, key)] as const
}
