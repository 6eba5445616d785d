import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import { commitmentTo, type Leaf, leafBytes } from '../../../src/audit/entry.ts'
import { leafHash } from '../../../src/audit/tlog/tree.ts'
import type { Known } from '../../../src/audit/verify/directory.ts'
import { verifyExport } from '../../../src/audit/verify/export-file.ts'
import { tellFindings } from '../../../src/audit/verify/findings.ts'
import { publishedLog } from './leaf-log.ts'

export interface Line {
  index: number
  leaf: string
  salt?: string
  details?: string
  erased?: true
  withheld?: true
  proof: string[]
}

export async function verifyText(t: Test, text: string, known: Partial<Known> = {}) {
  const path = join(t.testdirName, 'export.ndjson')
  writeFileSync(path, text)
  const faults: string[] = []
  const notices: string[] = []
  const findings = tellFindings({
    fault: sentence => void faults.push(sentence),
    notice: sentence => void notices.push(sentence)
  })
  const all = { vkeys: [], older: [], ...known }
  const summary = await verifyExport(path, all, findings, () => {})
  return { faults, notices, summary }
}

export const linesOf = (text: string) => text.trimEnd().split('\n')
export const eventsOf = (text: string): Line[] =>
  linesOf(text)
    .slice(1, -1)
    .map(line => JSON.parse(line))

/** The export with other lines of events, ended as one that knows the format would. */
export function rewritten(text: string, change: (lines: string[]) => string[]): string {
  const [head = '', ...rest] = linesOf(text)
  const lines = change(rest.slice(0, -1))
  const body = [head, ...lines].map(line => `${line}\n`).join('')
  const sha256 = createHash('sha256').update(body).digest('hex')
  return `${body}${JSON.stringify({ end: true, events: lines.length, sha256 })}\n`
}

/** An export of a log of two leaves, which are proven whatever they say. */
export function exportOf(leaves: [Leaf | Buffer, Leaf | Buffer]) {
  const log = publishedLog(leaves)
  const bytes = leaves.map(leaf => (Buffer.isBuffer(leaf) ? leaf : leafBytes(leaf)))
  const head = {
    format: 'consilium-audit-export',
    version: 1,
    checkpoint: String(log.files.get('checkpoint')),
    keys: [log.vkey],
    filter: {}
  }
  const [older = Buffer.of(), newer = Buffer.of()] = bytes
  const eventOf = (index: number, leaf: Buffer, sibling: Buffer) => ({
    index,
    leaf: leaf.toString(),
    salt: SALT.toString('base64'),
    details: NO_DETAILS,
    proof: [leafHash(sibling).toString('base64')]
  })
  const events = [eventOf(1, newer, older), eventOf(0, older, newer)]
  const lines = [head, ...events, {}].map(line => `${JSON.stringify(line)}\n`)
  return { log, text: rewritten(lines.join(''), events => events) }
}

export const SALT = Buffer.alloc(32)
export const NO_DETAILS = '{"details":{}}'
export const BEGAN = Date.parse('2026-11-22T08:00:00Z')
export const d = commitmentTo(Buffer.concat([SALT, Buffer.from(NO_DETAILS)]))
