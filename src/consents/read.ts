import type { KeyObject } from 'node:crypto'
import type { ConsentList } from '../../schemas/consent.ts'
import { actedBy } from '../audit/acted-by.ts'
import { aboutCase, caseOf, openCaseKey } from '../cases/case.ts'
import type { Queries } from '../database/database.ts'
import type { Exchange } from '../exchange.ts'
import type { Caller } from '../identity/principal.ts'
import { agreement, viewConsent } from './consent.ts'
import { consentsOf, groundsOfCase } from './queries.ts'
import { isTextKept } from './texts.ts'

/** Every consent that was ever recorded with a case of the caller's organisation. */
export async function listConsents(
  exchange: Exchange,
  caller: Caller,
  caseId: string
): Promise<ConsentList> {
  const { database, clock } = exchange
  const found = await caseOf(database.read, caller, caseId)
  const key = await openCaseKey(exchange.keyring, found)
  const rows = await consentsOf(database.read, { caseId })
  const now = clock()
  const consents = rows.map(row => viewConsent(key, row, now))
  await exchange.audit.add({
    action: 'consent.list',
    outcome: 'success',
    ...actedBy(caller, { shown: rows.map(({ id }) => id) }),
    ...aboutCase(found)
  })
  return {
    consents,
    secondOpinion: agreement(rows, now).state,
    required: exchange.consent === 'required'
  }
}

/**
 * Opens every consent of a case. Throws for one that does not open, for a text that was edited since
 * somebody agreed to it, and for a live ground of a share that is not there.
 */
export async function openStoredConsents(
  queries: Queries,
  key: KeyObject,
  caseId: string
): Promise<void> {
  const rows = await consentsOf(queries, { caseId })
  for (const row of rows) {
    viewConsent(key, row, 0)
    if (!isTextKept(row.kind, row.textVersion, row.textSha256)) {
      throw new Error('a text that a patient agreed to was changed')
    }
  }
  const ids = new Set(rows.map(({ id }) => id))
  // The references of safeguards are digests, and longer.
  const named = (await groundsOfCase(queries, caseId)).filter(({ ground }) => ground.length === 36)
  if (named.some(({ ground }) => !ids.has(ground))) {
    throw new Error('a share rests on a consent that is not of its case')
  }
}
