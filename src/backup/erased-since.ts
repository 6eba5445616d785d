import { findCase, isErased } from '../cases/case.ts'
import type { Config } from '../config.ts'
import type { Queries } from '../database/database.ts'
import { readJwksFile } from '../jwks-file.ts'
import { dataPaths, openData } from '../open-data.ts'
import { recordsById } from '../records/record.ts'
import { contentOfSigned, verifySigned } from '../signatures.ts'
import { BackupError } from './backup-error.ts'

/** What a receipt of an erasure says, as far as it matters here (schemas/retention.ts). */
interface Told {
  jti: string
  case: string
  at: string
  scope: 'copies' | 'case'
  records: { id: string }[]
}

/** A case of which something is readable again that was erased after the backup. */
export interface ErasedSince {
  caseId: string
  erasureId: string
  at: string
  /** By a key of the backup. One that was made since is not in it. */
  isSigned: boolean
}

/** The receipts in a file: answers of `GET /v1/erasures/{id}`, one a line. Throws BackupError. */
export function readReceipts(text: string): string[] {
  const lines = text.split('\n').filter(line => line.trim() !== '')
  return lines.map((line, n) => {
    try {
      const { receipt } = JSON.parse(line)
      contentOfSigned<Told>(receipt).records.map(({ id }) => id)
      return receipt
    } catch {
      throw new BackupError(`Line ${n + 1} of the receipts is no answer of GET /v1/erasures/{id}.`)
    }
  })
}

/**
 * Which of these erasures a restore has undone. It erases nothing itself: an erasure is ordered by an
 * administrator, whom the log names, and what has to stay is judged by what is there now.
 */
export async function erasedSince(config: Config, receipts: string[]): Promise<ErasedSince[]> {
  const data = await openData(config)
  try {
    const jwks = await readJwksFile(dataPaths(config.dataDirectory).linkKeys)
    const undone: ErasedSince[] = []
    for (const receipt of receipts) {
      const told = contentOfSigned<Told>(receipt)
      if (!(await isBack(data.database.read, told))) continue
      const isSigned = await verifySigned(jwks, 'erasure', receipt).then(
        () => true,
        () => false
      )
      undone.push({ caseId: told.case, erasureId: told.jti, at: told.at, isSigned })
    }
    return undone
  } finally {
    await data.close()
  }
}

async function isBack(queries: Queries, told: Told): Promise<boolean> {
  const ids = told.records.map(({ id }) => id)
  const records = await recordsById(queries, ids)
  if (records.some(row => !isErased(row))) return true
  if (told.scope === 'copies') return false
  const found = await findCase(queries, { id: told.case })
  return found.some(row => !isErased(row))
}
