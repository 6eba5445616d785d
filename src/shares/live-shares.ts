import { timestamp } from '../../schemas/common.ts'
import type { ShareList, ShareView } from '../../schemas/share.ts'
import { actedBy } from '../audit/acted-by.ts'
import { lastUses } from '../audit/ask/live-shares.ts'
import { placeAllPending } from '../audit/tree/pending.ts'
import { caseOf, openCaseKey } from '../cases/case.ts'
import { Refusal } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import { type Page, readPage } from '../http/page.ts'
import type { Caller } from '../identity/principal.ts'
import { countLive, type LiveFilter, pageOfLive } from './live-queries.ts'
import { findShare } from './queries.ts'
import { viewSent } from './view-sent.ts'

const DAY_MILLISECONDS = 86_400_000

/**
 * Every share of the caller's organisation that has not ended, the first to end first, with counts of
 * what somebody should see to. Administrators see whose, until when and how often it was opened, and
 * nothing that is sealed. The cursor is the last share shown: its end never changes, so whatever ends
 * between two pages nothing is shown twice or left out.
 */
export async function listLive(
  exchange: Exchange,
  caller: Caller,
  asked: Page & { case?: string; specialist?: string; ids?: string[] }
): Promise<ShareList> {
  const { database, keyring, clock, limits } = exchange
  const { read } = database
  const { before: cursor, limit } = readPage(asked, limits)
  const found = asked.case && (await caseOf(read, caller, asked.case))
  const now = clock()
  const filter: LiveFilter = {
    organisationId: caller.organisationId,
    caseId: asked.case,
    specialistId: asked.specialist,
    ids: asked.ids,
    now
  }
  const after = cursor === undefined ? undefined : await placeOf(exchange, caller, cursor)
  const rows = await pageOfLive(read, { ...filter, after, limit: limit + 1 })
  const shown = rows.slice(0, limit)
  const counts = await countLive(read, filter, now + DAY_MILLISECONDS)
  const isClinician = caller.role === 'clinician'
  const shares = await viewSent(exchange, caller, shown, async row =>
    isClinician ? openCaseKey(keyring, row) : undefined
  )
  await tellUses(exchange, shares)
  await exchange.audit.add({
    action: 'share.list',
    outcome: 'success',
    caseId: asked.case,
    patientRef: found ? found.patientRef : undefined,
    ...actedBy(caller, { shown: shown.map(row => row.id), state: 'live' })
  })
  const next = rows.length > limit ? shown.at(-1)?.id : undefined
  return { counts, shares, ...(next && { next }) }
}

/** Adds when each was last used, by the access log. */
async function tellUses({ database }: Pick<Exchange, 'database'>, shares: ShareView[]) {
  await placeAllPending(database)
  for (const share of shares) {
    const { opened, download } = await lastUses(database, share.id)
    if (opened !== undefined) share.lastOpenedAt = timestamp(opened)
    if (download !== undefined) share.lastDownloadAt = timestamp(download)
  }
}

async function placeOf({ database }: Exchange, caller: Caller, id: string) {
  const [row] = await findShare(database.read, { id })
  if (row?.organisationId !== caller.organisationId) throw new Refusal('cursor-invalid')
  return { expiresAt: row.expiresAt, id }
}
