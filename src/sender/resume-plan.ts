import type { SentRecord, State } from './state.ts'
import type { FoundFile } from './walk.ts'

/**
 * What is left to be planned of the files that were found: those which no record of an earlier run
 * has. A record that was not finished, and of which a file has changed or gone since, is given up
 * and planned anew; a finished one stays what it was, and a file changed since is a new file.
 */
export function unplannedFiles(
  state: State,
  files: FoundFile[]
): { files: FoundFile[]; abandoned: SentRecord[] } {
  const found = new Map(files.map(file => [nameOf(file), file]))
  const abandoned = state.records.filter(
    record => !record.done && !record.files.every(file => file.outcome || found.has(nameOf(file)))
  )
  const kept = state.records.filter(record => !abandoned.includes(record))
  state.records.splice(0, state.records.length, ...kept)
  for (const { files: planned } of kept) {
    for (const file of planned) found.delete(nameOf(file))
  }
  return { files: [...found.values()], abandoned }
}

const nameOf = ({ path, bytes, changedMilliseconds }: FoundFile): string =>
  `${bytes} ${changedMilliseconds} ${path}`
