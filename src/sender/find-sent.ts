import { type RecordAnswer, RecordAnswer as RecordForm, RecordsAnswer } from './answers.ts'
import { type Digested, digestAll, type Outgoing } from './outgoing.ts'
import type { Session } from './session.ts'
import type { SentRecord } from './state.ts'

/**
 * The record that these files were stored as by a request whose answer was lost, if they were: one of
 * the case with this title, date and kind, all of whose files are among these by digest. `known` are
 * records that are spoken for.
 */
export async function findSent(
  session: Session,
  caseId: string,
  record: SentRecord,
  files: Outgoing[],
  known: Set<string>
): Promise<{ view: RecordAnswer; files: Digested[] } | undefined> {
  const { records } = await session.json(RecordsAnswer, 'GET', `/v1/cases/${caseId}/records`)
  const bytes = files.reduce((total, file) => total + file.bytes, 0)
  const candidates = records.filter(
    other =>
      !known.has(other.id) &&
      other.kind === record.kind &&
      other.title === record.title &&
      other.date === record.date &&
      other.objectCount <= files.length &&
      other.bytes <= bytes
  )
  if (candidates.length === 0) return undefined
  const digested = await digestAll(files)
  const digests = digested.map(({ sha256 }) => sha256)
  for (const { id } of candidates) {
    const view = await session.json(RecordForm, 'GET', `/v1/records/${id}`)
    if (isOf(view, digests)) return { view, files: digested }
  }
  return undefined
}

function isOf({ objects }: RecordAnswer, digests: string[]): boolean {
  const left = new Map<string, number>()
  for (const digest of digests) left.set(digest, (left.get(digest) ?? 0) + 1)
  return objects.every(({ sha256 }) => {
    const count = left.get(sha256) ?? 0
    left.set(sha256, count - 1)
    return count > 0
  })
}
