import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import {
  EXPORT_FORMAT,
  EXPORT_VERSION,
  type ExportEnd,
  type ExportEvent,
  type ExportHead
} from '../ask/export-proofs.ts'
import { type Leaf, SALT_BYTES } from '../entry.ts'
import { parseBase64 } from '../tlog/strict-text.ts'
import { leafHash, verifyInclusion } from '../tlog/tree.ts'
import { readDetails } from './details.ts'
import type { Known } from './directory.ts'
import { type Findings, type Progress, type Summary, Unverifiable } from './findings.ts'
import { type Head, readHead, readKeys } from './heads.ts'
import { readLeaf } from './leaf.ts'
import { shownNumbers } from './story.ts'

/** Longer than any line of ours: a head with the longest checkpoint allowed. */
const LINE_BYTES_MAX = 2 ** 20
const NEWLINE = 0x0a

/**
 * Checks an export with proofs, line by line, against the checkpoint in it. It shows that what is in
 * the file is on the log, not that everything on the log is in the file. Memory: the shares in it.
 * Throws Unverifiable when it is no such file.
 */
export async function verifyExport(
  path: string,
  { vkeys, older }: Known,
  findings: Findings,
  progress: Progress
): Promise<Summary> {
  const digest = createHash('sha256')
  let head: Head | undefined
  let check: ReturnType<typeof lineCheck> | undefined
  let end: ExportEnd | undefined
  let line = 0
  for await (const bytes of linesOf(path)) {
    line += 1
    const said = readLine(bytes)
    if (end !== undefined) {
      findings.fault(`Line ${line} comes after the last.`)
      break
    } else if (check === undefined) {
      const first = headIn(said)
      const keys = readKeys(vkeys.length > 0 ? vkeys : ownKeys(first, findings))
      head = readHead('The checkpoint of the export', first.checkpoint, keys, findings)
      if (head === undefined) break
      for (const { name, note } of older) {
        compareOlder(head, readHead(name, note, keys, findings), findings)
      }
      check = lineCheck(head, findings)
    } else if (isEnd(said)) {
      end = said
      if (said.sha256 !== digest.copy().digest('hex')) {
        findings.fault(`Line ${line}: the lines before are not those it has the digest of.`)
      }
    } else {
      check.take(line, said)
      progress(line - 1, 0)
    }
    digest.update(bytes)
  }
  if (line === 0) throw new Unverifiable('The file is empty.')
  const counts = check?.end(end) ?? { events: 0, details: 0, erased: 0 }
  return {
    ...counts,
    unsigned: 0,
    origin: head?.origin,
    signed: head && { size: head.size, root: head.root.toString('base64'), keyIds: head.keyIds }
  }
}

/** Lines with their newlines; the last may lack its own. Throws Unverifiable for an endless one. */
async function* linesOf(path: string): AsyncGenerator<Buffer> {
  let rest: Buffer = Buffer.alloc(0)
  for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) {
    const bytes = rest.byteLength === 0 ? chunk : Buffer.concat([rest, chunk])
    let begin = 0
    for (let at = bytes.indexOf(NEWLINE); at !== -1; at = bytes.indexOf(NEWLINE, begin)) {
      yield bytes.subarray(begin, at + 1)
      begin = at + 1
    }
    rest = bytes.subarray(begin)
    if (rest.byteLength > LINE_BYTES_MAX) throw new Unverifiable('A line is far too long.')
  }
  if (rest.byteLength > 0) yield rest
}

/** What the line says, if it is written in the one way we write it; else undefined. */
function readLine(bytes: Buffer): unknown {
  try {
    const value: unknown = JSON.parse(bytes.toString())
    // A second member of the same name, say, would be read by others and not by us.
    return Buffer.from(`${JSON.stringify(value)}\n`).equals(bytes) ? value : undefined
  } catch {
    return undefined
  }
}

function headIn(said: unknown): ExportHead {
  const { format, version, checkpoint, keys } = Object(said) as ExportHead
  if (format !== EXPORT_FORMAT) throw new Unverifiable('This is no export with proofs.')
  if (version !== EXPORT_VERSION) throw new Unverifiable('The export is of a version not known.')
  if (typeof checkpoint !== 'string' || !Array.isArray(keys)) {
    throw new Unverifiable('The first line of the export is damaged.')
  }
  return said as ExportHead
}

function ownKeys({ keys }: ExportHead, findings: Findings): string[] {
  for (const vkey of keys) {
    findings.notice(`Key taken from the file: compare it with the one you were given: ${vkey}`)
  }
  return keys.map(String)
}

function isEnd(said: unknown): said is ExportEnd {
  return typeof said === 'object' && said !== null && 'end' in said
}

function compareOlder(head: Head, older: Head | undefined, findings: Findings): void {
  if (older === undefined) return
  if (older.size === head.size) {
    if (!older.root.equals(head.root)) {
      findings.fault(`${older.name}: the log signed another tree of ${head.size} events.`)
    }
    return
  }
  findings.notice(
    `${older.name}: an export cannot show that one tree continues another; use --url or --data.`
  )
}

/** Checks the lines of events one after the other. */
function lineCheck(head: Head, findings: Findings) {
  const shown = shownNumbers(findings)
  let lastId: string | undefined
  let events = 0
  let details = 0
  let erased = 0

  function checkDetails(place: string, leaf: Leaf, event: ExportEvent): void {
    if (event.erased || event.withheld) {
      if (event.erased) erased += 1
      if (event.details !== undefined || event.salt !== undefined) {
        findings.fault(`${place}: it has details and says that it has none.`)
      }
      return
    }
    if (event.damaged) {
      findings.fault(`${place}: its details were changed where they are kept.`)
      return
    }
    const salt = parseBase64(String(event.salt))
    if (typeof event.details !== 'string' || salt?.byteLength !== SALT_BYTES) {
      findings.fault(`${place}: its details or their salt are missing.`)
      return
    }
    details += 1
    const read = readDetails(leaf, Buffer.concat([salt, Buffer.from(event.details)]))
    if (typeof read === 'string') findings.fault(`${place}: its details ${read}.`)
  }

  return {
    take(line: number, said: unknown) {
      events += 1
      const event = eventIn(said)
      if (event === undefined) return findings.fault(`Line ${line}: it is not written as we do.`)
      const place = `Line ${line}, event ${event.index}`
      const bytes = Buffer.from(event.leaf)
      const proof = event.proof.map(hash => parseBase64(hash) ?? Buffer.alloc(0))
      if (!verifyInclusion(leafHash(bytes), event.index, head.size, proof, head.root)) {
        findings.fault(`${place}: its proof does not lead to the checkpoint.`)
      }
      const leaf = readLeaf(bytes)
      if (typeof leaf === 'string') return findings.fault(`${place}: its leaf ${leaf}.`)
      if (lastId !== undefined && leaf.id >= lastId) {
        findings.fault(`${place}: it comes again, or after one that is older.`)
      }
      lastId = leaf.id
      shown.take(place, event.index, leaf)
      checkDetails(place, leaf, event)
    },
    end(last: ExportEnd | undefined) {
      if (last === undefined) {
        findings.fault('The last line is missing: the file was cut off.')
      } else if (last.end !== true || last.events !== events) {
        findings.fault(`The last line tells of ${last.events} events, and there are ${events}.`)
      }
      shown.end()
      return { events, details, erased }
    }
  }
}

const MEMBERS = ['index', 'leaf', 'salt', 'details', 'erased', 'withheld', 'damaged', 'proof']

function eventIn(said: unknown): ExportEvent | undefined {
  const { index, leaf, erased, withheld, damaged, proof } = Object(said) as ExportEvent
  const isFlag = (value: unknown) => value === undefined || value === true
  const isText = (value: unknown) => typeof value === 'string'
  const isForm =
    Number.isSafeInteger(index) &&
    isText(leaf) &&
    isFlag(erased) &&
    isFlag(withheld) &&
    isFlag(damaged) &&
    Array.isArray(proof) &&
    proof.every(isText)
  const hasOnly = Object.keys(Object(said)).every(name => MEMBERS.includes(name))
  return isForm && hasOnly ? (said as ExportEvent) : undefined
}
