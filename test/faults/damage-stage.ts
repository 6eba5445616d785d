import { closeSync, openSync, readSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import { dataPaths } from '../../src/open-data.ts'
import {
  createCase,
  numberedText,
  openShare,
  sharedPath,
  shareRecords,
  startExchange,
  uploadRecord
} from '../helpers/exchange.ts'

export const MARKER = 'sandpiper-in-clear'

/** How damage is told when nothing has been sent yet. */
export const damaged = { status: 500, json: { code: 'object-damaged' } }

const text = (bytes: number, mark: string) =>
  Buffer.concat([Buffer.from(`${MARKER} ${mark}\n`), numberedText(bytes).bytes])

/** A stored object, what it should be, where it is read and where it lies. */
export interface Placed {
  id: string
  recordId: string
  original: Buffer
  path: string
  blob: string
}

/** Two records of one case, shared and open: a large file, and two small ones of equal length. */
export async function setUp(t: Test) {
  const x = await startExchange(t)
  const clinician = x.client('clinician')
  const { id: caseId } = await createCase(clinician)
  const originals = { large: text(2_000_000, 'L'), one: text(60, '1'), two: text(60, '2') }
  const { large, one, two } = originals
  const file = (bytes: Buffer) => ({ name: 'a.txt', bytes })
  const first = await uploadRecord(clinician, caseId, { files: [file(large)] })
  const second = await uploadRecord(clinician, caseId, { files: [file(one), file(two)] })
  const share = await shareRecords(x, caseId, [first.id, second.id])
  await openShare(x.client('specialistGb'), share.link)
  const { objects } = x.exchange.database.read.tables
  const rows = await x.exchange.database.read.select().from(objects)
  const placed = [...first.objects, ...second.objects].map(({ id }, i) => {
    const row = rows.find(row => row.id === id)
    if (row?.blob == null) throw new Error('An object has no blob.')
    return {
      id,
      recordId: row.recordId,
      original: [large, one, two][i] as Buffer,
      path: sharedPath(share.id, row.recordId, id),
      blob: join(dataPaths(x.directory).blobs, 'blobs', row.blob.slice(0, 2), row.blob)
    }
  })
  return {
    x,
    clinician,
    specialist: x.client('specialistGb'),
    objects: placed as [Placed, Placed, Placed],
    zip: sharedPath(share.id, second.id)
  }
}

/** Changes one bit of a file, which a second call changes back. */
export function flipBit(path: string, position: number): void {
  const file = openSync(path, 'r+')
  const byte = Buffer.alloc(1)
  readSync(file, byte, 0, 1, position)
  writeSync(file, Buffer.from([Number(byte[0]) ^ (1 << (position % 8))]), 0, 1, position)
  closeSync(file)
}
