import type { RecordView } from '../../../schemas/record.ts'

/** What somebody should see to before a record is shared; each is a text `cases.warning-…`. */
type RecordWarning =
  | 'wrong-patient'
  | 'duplicate'
  | 'changed-copy'
  | 'stale'
  | 'waiting-for-scan'
  | 'held'
  | 'not-scanned'

/** A record as one part of the page of its case: what it is, how much of it, and what is odd about it. */
export function shownRecord(record: RecordView, isStale: boolean) {
  const { id, kind, title, date, bytes, summary, objects, studies } = record
  return {
    id,
    kind,
    title,
    date,
    bytes,
    summary,
    files: objects.length,
    createdAt: record.createdAt,
    confirmed: record.patientConfirmation !== undefined,
    studies: studies.map(study => ({
      ...study,
      seriesNamed: study.series.map(({ description, modality, instances, bodyPart }) => ({
        name: description ?? bodyPart ?? modality ?? '',
        instances
      }))
    })),
    warnings: warningsOf(record, isStale)
  }
}

export function warningsOf(record: RecordView, isStale: boolean): RecordWarning[] {
  const { patientMatch, patientConfirmation, duplicates, quarantine, objects } = record
  const found: Record<RecordWarning, boolean> = {
    'wrong-patient': patientMatch === 'mismatch' && patientConfirmation === undefined,
    duplicate: duplicates.some(({ by }) => by === 'content'),
    'changed-copy': duplicates.some(({ by }) => by === 'instance'),
    stale: isStale,
    'waiting-for-scan': quarantine === 'waiting',
    held: quarantine === 'held',
    'not-scanned': quarantine === 'none' && objects.some(({ scan }) => scan === 'not-scanned')
  }
  return (Object.keys(found) as RecordWarning[]).filter(name => found[name])
}
