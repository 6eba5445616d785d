import { createHash } from 'node:crypto'
import { v7 as uuidv7 } from 'uuid'
import { isRuleViolation } from '../database/database.ts'
import { Refusal } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import { CsvError } from './csv.ts'
import { nameRef, numberRef, OPERATOR } from './entry.ts'
import { latestFile } from './queries.ts'
import { recheckRegister } from './recheck.ts'
import type { RegisterEntry, RegisterSource } from './register-source.ts'

/** Rows stored in one transaction. */
const BATCH = 500
/** A file with fewer rows than this part of the last one was cut off on its way. */
const SHRINK_MAX = 0.9

type Parts = Pick<Exchange, 'database' | 'audit' | 'serviceKeys' | 'clock'>

/**
 * Reads a file of a professional register whole, and then compares our register with it at once. All
 * or nothing: the rows of a file that cannot be read to its end count for nothing, and housekeeping
 * removes them. Refused are a file of an earlier day than the last, and one that has shrunk by more
 * than a tenth, unless `mayShrink`: everybody who is not in it would lose their verification.
 */
export async function importRegister(
  exchange: Parts,
  source: RegisterSource,
  bytes: AsyncIterable<Uint8Array>,
  wanted: { asOf: string; mayShrink: boolean }
): Promise<{ rows: number; verified: number; unverified: number }> {
  const { database } = exchange
  const asOf = Date.parse(wanted.asOf)
  if (!(asOf <= exchange.clock())) throw invalid('The day of the file is yet to come.')
  const last = await latestFile(database.read, source.system)
  if (last !== undefined && asOf < last.asOf) {
    throw invalid('A file of a later day was read already.')
  }
  const id = uuidv7({ msecs: exchange.clock() })
  const hash = createHash('sha256')
  const rows = await storeRows(exchange, id, source, hashed(bytes, hash))
  if (rows === 0) throw invalid('The file names nobody.')
  if (last !== undefined && rows < last.rows * SHRINK_MAX && !wanted.mayShrink) {
    throw invalid(`The file has ${rows} rows where the last one had ${last.rows}.`)
  }
  const sha256 = hash.digest()
  await database.write(async tx => {
    const importedAt = exchange.clock()
    await tx
      .insert(tx.tables.registerFiles)
      .values({ id, source: source.system, asOf, sha256, rows, importedAt })
    await exchange.audit.append(tx, {
      action: 'register.import',
      outcome: 'success',
      details: {
        by: OPERATOR,
        register: source.name,
        asOf: wanted.asOf,
        rows,
        sha256: sha256.toString('hex')
      }
    })
  })
  return { rows, ...(await recheckRegister(exchange)) }
}

async function* hashed(bytes: AsyncIterable<Uint8Array>, hash: ReturnType<typeof createHash>) {
  for await (const chunk of bytes) {
    hash.update(chunk)
    yield chunk
  }
}

async function storeRows(
  exchange: Parts,
  fileId: string,
  source: RegisterSource,
  bytes: AsyncIterable<Uint8Array>
): Promise<number> {
  let rows = 0
  let batch: RegisterEntry[] = []
  const store = async () => {
    const { lookup } = exchange.serviceKeys
    const values = batch.map(({ number, familyName, givenName, status, onSpecialistRegister }) => ({
      fileId,
      numberRef: numberRef(lookup, source.system, number),
      nameRef: nameRef(lookup, familyName, givenName),
      status,
      onSpecialistRegister
    }))
    await exchange.database.write(async tx => {
      await tx.insert(tx.tables.registerRows).values(values)
    })
    rows += batch.length
    batch = []
  }
  try {
    for await (const entry of source.read(bytes)) {
      batch.push(entry)
      if (batch.length === BATCH) await store()
    }
    if (batch.length > 0) await store()
  } catch (err) {
    if (err instanceof CsvError) throw invalid(err.message)
    if (isRuleViolation(err)) throw invalid('A number is in the file twice.')
    throw err
  }
  return rows
}

function invalid(problem: string): Refusal {
  return new Refusal('request-invalid', undefined, { problems: [problem] })
}
