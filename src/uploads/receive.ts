import { createHash, type Hash, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { GiveBack } from '../database/places.ts'
import { Refusal } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import type { Caller } from '../identity/principal.ts'
import { Arrival } from './arrival.ts'
import { aboutUpload, openDraftKey, type UploadInCase, uploadOf } from './draft.ts'
import { finishUpload } from './finish.ts'
import { piecesOf } from './pieces.ts'
import { type Act, append } from './recorded.ts'

/** A sender who sends nothing for so long loses the place, once what came is on record. */
const IDLE_MILLISECONDS = 2000

/** What a request says its bytes amount to (tus, checksum). */
export interface Checksum {
  algorithm: string
  digest: Buffer
}

/** One request that adds to an upload. */
export interface Receiving {
  caller: Caller
  body: IncomingMessage
  checksum: Checksum | undefined
  action: Act['action']
}

/**
 * Adds the body of a request to an upload, from `offset` on, and resolves to the new offset, which is
 * then durable and on record. A line that breaks is no failure: what came of it is kept, unless it
 * can no longer be held against its checksum. One request at a time adds to an upload, in whichever
 * process; others are refused (`upload-locked`).
 */
export async function receive(
  exchange: Exchange,
  receiving: Receiving,
  uploadId: string,
  offset: number
): Promise<number> {
  const { caller, checksum, action } = receiving
  const place = await takeUpload(exchange, uploadId)
  try {
    // Read again now that nobody else changes it.
    const found = await uploadOf(exchange.database.read, caller, uploadId, exchange.clock())
    requireOpen(found)
    if (found.upload.received !== offset) {
      throw new Refusal('upload-offset-conflict', undefined, { about: aboutUpload(found) })
    }
    if ((await exchange.blobs.freeBytes()) < exchange.limits.freeBytesMin) {
      throw new Refusal('storage-full')
    }
    const key = await openDraftKey(exchange.keyring, found)
    const act: Act = { caller, found, key, action }
    const arrival = new Arrival(exchange, act, checksum !== undefined)
    try {
      return await takeBody(exchange, act, receiving, arrival, place)
    } catch (err) {
      await arrival.discard()
      throw err
    }
  } finally {
    place.giveBack()
  }
}

async function takeBody(
  exchange: Exchange,
  act: Act,
  { body, checksum }: Receiving,
  arrival: Arrival,
  place: Place
): Promise<number> {
  const { upload } = act.found
  const hash = checksum && createHash(checksum.algorithm)
  const isCut = await eachPiece(body, arrival, place, hash)
  if (checksum !== undefined && hash !== undefined) {
    // Half of what was announced can never be held against its checksum.
    if (isCut) {
      await arrival.discard()
      return upload.received
    }
    requireChecksum(checksum, hash)
  }
  const { offset, isWhole } = await arrival.end()
  if (offset === upload.received) {
    await exchange.database.write(tx => append(exchange, tx, act, { from: offset, to: offset }))
  }
  if (offset === upload.bytes && !isWhole) await finishUpload(exchange, act)
  return offset
}

/** Hands over the body piece by piece. Resolves to whether it broke off. */
async function eachPiece(
  body: IncomingMessage,
  arrival: Arrival,
  place: Place,
  hash: Hash | undefined
): Promise<boolean> {
  const idle = async () => {
    await arrival.rest()
    if (hash === undefined) place.giveBack()
  }
  for await (const piece of piecesOf(body, IDLE_MILLISECONDS, idle)) {
    await place.takeAgain()
    hash?.update(piece)
    await arrival.take(piece)
  }
  return !body.complete
}

/** The place of the one who adds to an upload. */
export interface Place {
  giveBack(): void
  /** Takes it again if it was given back. Refusal `upload-locked` when another has it now. */
  takeAgain(): Promise<void>
}

/**
 * Takes the place of the one who may change an upload. It comes free when the process that has it
 * ends, however it ends. Were two to have it, the offset on record would still let only one add.
 */
export async function takeUpload(
  { database }: Pick<Exchange, 'database'>,
  uploadId: string
): Promise<Place> {
  let giveBack: GiveBack | undefined
  const place: Place = {
    giveBack() {
      giveBack?.()
      giveBack = undefined
    },
    async takeAgain() {
      if (giveBack !== undefined) return
      giveBack = await database.takePlace(`upload ${uploadId}`, 1)
      if (giveBack === undefined) throw new Refusal('upload-locked')
    }
  }
  await place.takeAgain()
  return place
}

/** Throws unless more may be added, or nothing more to what is whole. */
function requireOpen(found: UploadInCase): void {
  const { state, part } = found.upload
  if (state === 'refused') {
    throw new Refusal('upload-refused', undefined, { about: aboutUpload(found) })
  }
  // tus, concatenation: a final upload must not be added to.
  if (part === 'final') {
    throw new Refusal('upload-is-final', undefined, { about: aboutUpload(found) })
  }
}

function requireChecksum({ digest }: Checksum, hash: Hash): void {
  const found = hash.digest()
  const isEqual = found.byteLength === digest.byteLength && timingSafeEqual(found, digest)
  if (!isEqual) throw new Refusal('checksum-mismatch')
}
