import { setTimeout as sleep } from 'node:timers/promises'
import { LEAF_BYTES_MAX } from '../entry.ts'
import { NOTE_BYTES_MAX, type NoteVerifier } from '../tlog/note.ts'
import { decodeEntries, TILE_WIDTH, type TileAddress, tilePath } from '../tlog/tiles.ts'
import { TlogError } from '../tlog/tlog-error.ts'
import { HASH_BYTES } from '../tlog/tree.ts'
import type { Known } from './directory.ts'
import { type Findings, type Progress, type Summary, Unverifiable } from './findings.ts'
import { compareHead, readHead, readKeys } from './heads.ts'
import { readLeaf } from './leaf.ts'
import { openGrants, shareNumbers } from './story.ts'
import { type FoundEntry, type LogSource, walkLog } from './walk.ts'

const ANSWER_MILLISECONDS_MAX = 30_000
/** How often, and for how long at most, a service that asks for patience is waited for. */
const WAITS_MAX = 20
const WAIT_SECONDS_MAX = 60
const KEYS_BYTES_MAX = 65_536
const LENGTH_PREFIX_BYTES = 2
const BUNDLE_BYTES_MAX = TILE_WIDTH * (LENGTH_PREFIX_BYTES + LEAF_BYTES_MAX)
/** Bundles asked for before they are needed, so that a distant server costs little waiting. */
const BUNDLES_AHEAD = 8
/** After so many bundles in a row that are not served, the rest is not asked for. */
const BUNDLES_MISSING_MAX = 16

/** Answers of the log's public routes: undefined when there is no such thing. */
type Get = (path: string, bytesMax: number) => Promise<Buffer | undefined>

/**
 * Checks a log as its service publishes it (C2SP tlog-tiles), without an account. Memory: the shares,
 * and the disclosures under way. Throws Unverifiable when the service does not answer as such a log.
 */
export async function verifyUrl(
  url: string,
  { vkeys, older }: Known,
  findings: Findings,
  progress: Progress
): Promise<Summary> {
  const get = getter(prefixOf(url))
  const keys = readKeys(vkeys.length > 0 ? vkeys : await servedKeys(get, findings))
  const note = await get('checkpoint', NOTE_BYTES_MAX)
  if (note === undefined) throw new Unverifiable('There is no checkpoint at this address.')
  const head = readHead('The checkpoint served', note.toString(), keys, findings)
  // Without a signature the size is anybody's, and there might be no end to what is served.
  if (head === undefined) return { events: 0, unsigned: 0, details: 0, erased: 0 }
  const heads = [head, ...olderHeads(older, keys, findings)]
  const numbers = shareNumbers(findings)
  const grants = openGrants(findings)
  const roots = await walkLog(servedSource(get, head.size, findings), {
    size: head.size,
    end: head.size,
    sizes: heads.map(({ size }) => size),
    visit({ index, leaf: bytes }) {
      const leaf = readLeaf(bytes)
      if (typeof leaf === 'string') return findings.fault(`Event ${index}: its leaf ${leaf}.`)
      numbers.take(index, leaf)
      grants.take(index, leaf)
    },
    findings,
    progress
  })
  for (const one of heads) compareHead(one, roots, findings)
  for (const { index } of grants.open.values()) {
    findings.notice(`Event ${index}: what it grants is still under way.`)
  }
  return {
    origin: head.origin,
    events: head.size,
    signed: { size: head.size, root: head.root.toString('base64'), keyIds: head.keyIds },
    unsigned: 0,
    details: 0,
    erased: 0
  }
}

function olderHeads(older: Known['older'], keys: NoteVerifier[], findings: Findings) {
  return older
    .map(({ name, note }) => readHead(name, note, keys, findings))
    .filter(head => head !== undefined)
}

/** The service's address, with or without the path of its log. */
function prefixOf(url: string): string {
  if (!/^https?:\/\/[^?#]+$/.test(url)) throw new Unverifiable('--url is no http or https address.')
  return `${url.replace(/\/+$/, '').replace(/\/v1\/audit$/, '')}/v1/audit/`
}

async function servedKeys(get: Get, findings: Findings): Promise<string[]> {
  const text = await get('keys', KEYS_BYTES_MAX)
  const vkeys = text?.toString().trim().split('\n') ?? []
  for (const vkey of vkeys) {
    findings.notice(`Key taken from the server: compare it with the one you were given: ${vkey}`)
  }
  return vkeys
}

function getter(prefix: string): Get {
  return async (path, bytesMax) => {
    try {
      const answer = await askPatiently(`${prefix}${path}`)
      if (answer.status === 404) {
        await answer.body?.cancel()
        return undefined
      }
      if (answer.status !== 200) throw new Unverifiable(`${path}: status ${answer.status}.`)
      return await readShort(answer, path, bytesMax)
    } catch (err) {
      if (err instanceof Unverifiable) throw err
      throw new Unverifiable(`${path}: no answer.`, { cause: err })
    }
  }
}

/** A service bounds how much it is asked, and says for how many seconds to wait. */
async function askPatiently(url: string): Promise<Response> {
  for (let waits = 0; ; waits += 1) {
    const signal = AbortSignal.timeout(ANSWER_MILLISECONDS_MAX)
    const answer = await fetch(url, { redirect: 'error', signal })
    if (answer.status !== 429 || waits === WAITS_MAX) return answer
    await answer.body?.cancel()
    const seconds = Number(answer.headers.get('retry-after')) || 1
    await sleep(Math.min(seconds, WAIT_SECONDS_MAX) * 1000)
  }
}

async function readShort(answer: Response, path: string, bytesMax: number): Promise<Buffer> {
  const parts: Uint8Array[] = []
  let bytes = 0
  for await (const part of answer.body ?? []) {
    bytes += part.byteLength
    if (bytes > bytesMax) throw new Unverifiable(`${path}: the answer is too long.`)
    parts.push(part)
  }
  return Buffer.concat(parts)
}

/** The log of `size` events as it is served. Bundles and their tiles are asked for ahead. */
function servedSource(get: Get, size: number, findings: Findings): LogSource<FoundEntry> {
  const asked = new Map<string, Promise<Buffer | undefined>>()
  let missing = 0

  function ask(tile: TileAddress): Promise<Buffer | undefined> {
    const path = tilePath(tile)
    const isBundle = tile.level === 'entries'
    const answer =
      asked.get(path) ?? get(path, isBundle ? BUNDLE_BYTES_MAX : tile.width * HASH_BYTES)
    // Whoever waits for it later is told; until then it must not end the process.
    answer.catch(() => {})
    asked.set(path, answer)
    return answer
  }

  function askAhead(index: number): void {
    const last = Math.ceil(size / TILE_WIDTH)
    for (let next = index; next < Math.min(last, index + BUNDLES_AHEAD); next += 1) {
      const width = Math.min(TILE_WIDTH, size - next * TILE_WIDTH)
      ask({ level: 'entries', index: next, width })
      ask({ level: 0, index: next, width })
    }
  }

  async function take(tile: TileAddress): Promise<Buffer | undefined> {
    const answer = await ask(tile)
    asked.delete(tilePath(tile))
    return answer
  }

  return {
    async entries(from, to) {
      const index = from / TILE_WIDTH
      const width = to - from
      askAhead(index)
      const bundle = await take({ level: 'entries', index, width })
      missing = bundle === undefined ? missing + 1 : 0
      if (missing === BUNDLES_MISSING_MAX) {
        throw new Unverifiable(`Entries up to ${to} are not served, nor many before them.`)
      }
      const leaves = bundle === undefined ? [] : entriesIn(bundle, from, findings)
      if (bundle !== undefined && leaves.length !== width) {
        findings.fault(`The bundle from event ${from} on has not ${width} events.`)
      }
      return leaves.map((leaf, place) => ({ index: from + place, leaf }))
    },
    tile: take
  }
}

function entriesIn(bundle: Buffer, from: number, findings: Findings): Buffer[] {
  try {
    return decodeEntries(bundle)
  } catch (err) {
    if (!(err instanceof TlogError)) throw err
    findings.fault(`The bundle from event ${from} on: ${err.message}`)
    return []
  }
}
