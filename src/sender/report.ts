import { replacePrivateFile } from '../sealing/private-file.ts'
import { Ending, type EndingName } from './ending.ts'
import type { FetchResult } from './fetch.ts'
import { shown } from './progress.ts'
import type { SendResult } from './send.ts'

/** Lines of one kind; the rest are in the manifest. */
const LINES_MAX = 50
const MIB = 1024 ** 2

interface Line {
  what: string
  files: number
  bytes?: number
}

/** What a run of `send` came to, as a table and then file by file what is not stored. */
export function tellSent({ records, skipped }: SendResult): string {
  const files = records.flatMap(record => record.files)
  const of = (outcome: string) => files.filter(file => file.outcome === outcome)
  const open = files.filter(({ outcome }) => outcome === undefined)
  const passed = [...skipped, ...of('skipped').map(({ inFolder, why = '' }) => ({ inFolder, why }))]
  const duplicates = records.reduce((total, record) => total + (record.duplicates ?? 0), 0)
  const lines = [
    { what: 'stored', files: of('stored').length, bytes: bytesOf(of('stored')) },
    { what: 'duplicates', files: duplicates },
    { what: 'skipped', files: passed.length },
    { what: 'refused', files: of('refused').length, bytes: bytesOf(of('refused')) },
    ...(open.length > 0 ? [{ what: 'not yet', files: open.length, bytes: bytesOf(open) }] : [])
  ]
  return [
    tableOf(lines),
    ...records.filter(({ records: ids }) => ids.length > 0).map(recordLine),
    ...listed(
      'Skipped',
      passed.map(({ inFolder, why }) => `${shown(inFolder)}: ${why}`)
    ),
    ...listed(
      'Refused',
      of('refused').map(file => `${shown(file.inFolder)}: ${file.code}. ${shown(file.why ?? '')}`)
    )
  ].join('\n')
}

function recordLine({ records, title, files, ...record }: SendResult['records'][number]): string {
  const stored = files.filter(({ outcome }) => outcome === 'stored').length
  const notes = [
    record.patientMatch === 'mismatch' && 'MAY BE OF ANOTHER PATIENT: it cannot be shared so',
    record.quarantine === 'held' && 'held in quarantine',
    record.quarantine === 'waiting' && 'waiting for its malware scan'
  ].filter(note => note !== false && note !== undefined)
  const more = notes.length > 0 ? ` (${notes.join('; ')})` : ''
  return `record ${records.join(' ')}: ${shown(title)}, ${stored} files${more}`
}

export function tellFetched({ files }: FetchResult): string {
  const verified = files.filter(({ outcome }) => outcome === 'verified')
  const refused = files.filter(({ outcome }) => outcome === 'refused')
  const before = verified.filter(file => file.before)
  const lines = [
    { what: 'verified', files: verified.length, bytes: bytesOf(verified) },
    { what: 'of them before', files: before.length, bytes: bytesOf(before) },
    { what: 'refused', files: refused.length, bytes: bytesOf(refused) }
  ]
  const told = refused.map(
    file => `${shown(file.fileName)}: ${file.code}. ${shown(file.why ?? '')}`
  )
  return [tableOf(lines), ...listed('Refused', told)].join('\n')
}

const bytesOf = (files: { bytes: number }[]): number =>
  files.reduce((total, { bytes }) => total + bytes, 0)

function tableOf(lines: Line[]): string {
  const width = Math.max(...lines.map(({ what }) => what.length))
  const digits = Math.max(...lines.map(({ files }) => String(files).length))
  return lines
    .map(({ what, files, bytes }) => {
      const size = bytes === undefined ? '' : `  ${(bytes / MIB).toFixed(1)} MiB`
      return `${what.padEnd(width)}  ${String(files).padStart(digits)} files${size}`
    })
    .join('\n')
}

function listed(heading: string, lines: string[]): string[] {
  if (lines.length === 0) return []
  const more = lines.length - LINES_MAX
  const rest = more > 0 ? [`  … and ${more} more, which the manifest has`] : []
  return [`${heading}:`, ...lines.slice(0, LINES_MAX).map(line => `  ${line}`), ...rest]
}

export function endingOfSent({ records, skipped }: SendResult): EndingName {
  const files = records.flatMap(record => record.files)
  const isWhole = files.every(({ outcome }) => outcome === 'stored')
  return isWhole && !skipped.some(({ isMissing }) => isMissing) ? 'done' : 'refused'
}

export const endingOfFetched = ({ files }: FetchResult): EndingName =>
  files.every(({ outcome }) => outcome === 'verified') ? 'done' : 'refused'

/** What was sent where, with every digest and id: JSON, for this user alone, as it names files. */
export function manifestOfSent(result: SendResult, session: { origin: string }, caseId: string) {
  return {
    consiliumManifest: 1,
    act: 'send',
    service: session.origin,
    case: caseId,
    begun: result.begun,
    ended: new Date().toISOString(),
    records: result.records.map(({ records, kind, title, date, files }) => ({
      ids: records,
      kind,
      title,
      date,
      files: files.map(({ path, changedMilliseconds, ...file }) => file)
    })),
    skipped: result.skipped
  }
}

export function manifestOfFetched(
  { share, files }: FetchResult,
  session: { origin: string },
  begun: Date
) {
  return {
    consiliumManifest: 1,
    act: 'fetch',
    service: session.origin,
    share: share.id,
    from: share.from,
    begun: begun.toISOString(),
    ended: new Date().toISOString(),
    files
  }
}

export async function writeManifest(path: string, manifest: object): Promise<void> {
  await replacePrivateFile(path, `${JSON.stringify(manifest, null, 2)}\n`).catch(err => {
    throw new Ending('stopped', `The manifest cannot be written (${Object(err).code}).`)
  })
}
