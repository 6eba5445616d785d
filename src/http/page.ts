import type { Limits } from '../config.ts'
import { Refusal } from '../errors.ts'

/** What a client asks of a list: how much, and where the page before ended. */
export interface Page {
  cursor?: string
  limit?: number | string
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** Whether a text has the form of an id made here. */
export const isId = (text: string): boolean => UUID.test(text)

/** Where a page begins and how long it may be. Throws Refusal `cursor-invalid`. */
export function readPage(
  page: Page,
  limits: Pick<Limits, 'pageSizeDefault' | 'pageSizeMax'>
): { before: string | undefined; limit: number } {
  if (page.cursor !== undefined && !isId(page.cursor)) throw new Refusal('cursor-invalid')
  const limit = Math.min(Number(page.limit ?? limits.pageSizeDefault), limits.pageSizeMax)
  return { before: page.cursor, limit }
}

/**
 * One page of rows whose ids fall from page to page, and the cursor of the next while there is one.
 * The cursor is the last id shown: rows that come or go between pages neither repeat nor hide others.
 */
export async function pageOf<Row extends { id: string }>(
  page: Page,
  limits: Pick<Limits, 'pageSizeDefault' | 'pageSizeMax'>,
  fetch: (before: string | undefined, limit: number) => Promise<Row[]>
): Promise<{ rows: Row[]; next: string | undefined }> {
  const { before, limit } = readPage(page, limits)
  const rows = await fetch(before, limit + 1)
  const shown = rows.slice(0, limit)
  return { rows: shown, next: rows.length > limit ? shown.at(-1)?.id : undefined }
}
