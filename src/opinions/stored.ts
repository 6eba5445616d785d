import type { KeyObject } from 'node:crypto'
import type { JWK } from 'jose'
import { and, eq } from '../../schemas/drizzle.ts'
import { canonicalJson } from '../audit/canonical.ts'
import type { Queries } from '../database/database.ts'
import { verifySigned } from '../signatures.ts'
import { openReason } from './decline.ts'
import { openMessage } from './messages.ts'
import { openAddendum, openSigned, openText } from './opinion.ts'
import { addendaOf, declinesOf, opinionsOfCase } from './queries.ts'

/**
 * Opens everything that came back on a case, and checks each signature against the keys of the
 * service, which are asked for once something is signed. Throws for what does not open, was not signed
 * here, says something else than was signed, or has no record.
 */
export async function checkWhatCameBack(
  queries: Queries,
  key: KeyObject,
  caseId: string,
  jwks: () => Promise<{ keys: JWK[] }>
): Promise<void> {
  const opinions = await opinionsOfCase(queries, caseId)
  for (const row of opinions) {
    const text = openText(key, row)
    const signed = openSigned(key, row)
    if (signed === undefined) continue
    await verifySigned(await jwks(), 'opinion', signed.jws)
    if (canonicalJson(signed.content.opinion) !== canonicalJson(text)) {
      throw new Error(`opinion ${row.id} is not what was signed`)
    }
    await requireRecord(queries, caseId, row.recordId, 'opinion')
    for (const { record } of signed.content.attachments) {
      await requireRecord(queries, caseId, record, 'opinion-attachment')
    }
  }
  const ids = opinions.map(({ id }) => id)
  for (const row of ids.length === 0 ? [] : await addendaOf(queries, ids)) {
    await verifySigned(await jwks(), 'opinion-addendum', openAddendum(key, row).jws)
    await requireRecord(queries, caseId, row.recordId, 'opinion-addendum')
  }
  const { shares, shareMessages } = queries.tables
  const rows = await queries.select({ id: shares.id }).from(shares).where(eq(shares.caseId, caseId))
  for (const { id } of rows) {
    const written = eq(shareMessages.shareId, id)
    for (const row of await queries.select().from(shareMessages).where(written)) {
      openMessage(key, row)
    }
    for (const row of await declinesOf(queries, [id])) openReason(key, row)
  }
}

async function requireRecord(
  queries: Queries,
  caseId: string,
  id: string | null,
  kind: string
): Promise<void> {
  const { records } = queries.tables
  const rows = await queries
    .select({ id: records.id })
    .from(records)
    .where(and(eq(records.id, id ?? ''), eq(records.caseId, caseId), eq(records.kind, kind)))
  if (rows.length === 0) throw new Error('the document of an opinion is not in its case')
}
