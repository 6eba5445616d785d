import { dirname } from 'node:path'
import type { RecordFields } from '../../schemas/record.ts'
import type { DicomPlace } from './look-into.ts'
import type { FoundFile } from './walk.ts'

type Kind = RecordFields['kind']

/** One record as it is to be sent: a study, or the other files of one folder. */
export interface PlannedRecord {
  kind: Kind
  title: string
  date: string
  files: FoundFile[]
}

/** What the person who sends has said. It goes before what the files say. */
export interface Wishes {
  kind?: Kind | undefined
  title?: string | undefined
  date?: string | undefined
  /** Whoever carries the record is to learn nothing from its title or date. */
  sealed: boolean
}

/** The service takes so many files in one record, unless it was set up otherwise. */
export const RECORD_FILES_MAX = 5000
/** One of the files of a sealed record is the list of the others. */
const SEALED_FILES_MAX = RECORD_FILES_MAX - 1

const kindNames: Record<Kind, string> = {
  scan: 'Scan',
  'pathology-report': 'Pathology report',
  'pathology-slide': 'Pathology slide',
  letter: 'Letter',
  referral: 'Referral',
  'lab-result': 'Laboratory result',
  'treatment-plan': 'Treatment plan',
  other: 'Documents'
}

/** Slide microscopy: PS3.3, section C.7.3.1.1.1. */
const SLIDE_MODALITY = 'SM'

/**
 * Groups files into records: DICOM files by study, those whose header cannot be read with the study
 * that has most files in their folder, and other files by folder. A group of more files than a record
 * takes becomes several. Titles are made of codes of the header (modality, body part) and counts; of
 * names, descriptions, folders and file names, which may name the patient, nothing is in them.
 */
export function planRecords(
  files: FoundFile[],
  places: Map<FoundFile, DicomPlace>,
  wishes: Wishes,
  today: string
): PlannedRecord[] {
  const studyOfFolder = commonestStudies(files, places)
  const groups = new Map<string, FoundFile[]>()
  for (const file of files) {
    const place = places.get(file)
    const folder = dirname(file.path)
    const study = place && (place.study ?? studyOfFolder.get(folder))
    const group = study ? `study ${study}` : `${place ? 'dicom' : 'folder'} ${folder}`
    const others = groups.get(group)
    if (others === undefined) groups.set(group, [file])
    else others.push(file)
  }
  return [...groups.values()].flatMap(group => recordsOf(group, places, wishes, today))
}

function recordsOf(
  group: FoundFile[],
  places: Map<FoundFile, DicomPlace>,
  wishes: Wishes,
  today: string
): PlannedRecord[] {
  const ordered = group.toSorted((a, b) => inOrder(places.get(a), places.get(b)))
  const looked = ordered.flatMap(file => places.get(file) ?? [])
  const isDicom = looked.length > 0
  const kind = wishes.kind ?? (isDicom ? kindOf(looked) : 'other')
  const filesMax = wishes.sealed ? SEALED_FILES_MAX : RECORD_FILES_MAX
  const parts = Math.ceil(ordered.length / filesMax)
  return Array.from({ length: parts }, (_, part) => {
    const files = ordered.slice(part * filesMax, (part + 1) * filesMax)
    const title = wishes.title ?? (wishes.sealed ? sealedTitle(kind) : titleOf(kind, looked, files))
    return {
      kind,
      title: parts === 1 ? title : `${title} (${part + 1} of ${parts})`,
      date: wishes.date ?? (wishes.sealed ? today : dateOf(looked, files, today)),
      files
    }
  })
}

/** Files of damaged headers lie with those of their study. */
function commonestStudies(files: FoundFile[], places: Map<FoundFile, DicomPlace>) {
  const counts = new Map<string, Map<string, number>>()
  for (const file of files) {
    const study = places.get(file)?.study
    if (study === undefined) continue
    const folder = dirname(file.path)
    const ofFolder = counts.get(folder) ?? new Map<string, number>()
    counts.set(folder, ofFolder.set(study, (ofFolder.get(study) ?? 0) + 1))
  }
  return new Map(
    [...counts].map(([folder, studies]) => {
      const [commonest] = [...studies].toSorted(([, a], [, b]) => b - a)
      return [folder, commonest?.[0]]
    })
  )
}

function inOrder(a: DicomPlace | undefined, b: DicomPlace | undefined): number {
  if (a === undefined || b === undefined) return 0
  return (
    compare(a.seriesNumber, b.seriesNumber) ||
    compare(a.series, b.series) ||
    compare(a.instanceNumber, b.instanceNumber)
  )
}

/** What says nothing comes last. */
function compare<T extends string | number>(a: T | undefined, b: T | undefined): number {
  if (a === b) return 0
  if (a === undefined) return 1
  if (b === undefined) return -1
  return a < b ? -1 : 1
}

const kindOf = (looked: DicomPlace[]): Kind =>
  looked.every(({ modality }) => modality === SLIDE_MODALITY) ? 'pathology-slide' : 'scan'

/** As in "CT HEAD, 2 series, 120 images". Codes are of letters, digits, "_" and spaces alone. */
function titleOf(kind: Kind, looked: DicomPlace[], files: FoundFile[]): string {
  const count = (n: number, one: string) => `${n} ${one}${n === 1 ? '' : 's'}`
  if (looked.length === 0) return `${kindNames[kind]}, ${count(files.length, 'file')}`
  const distinct = (values: (string | undefined)[]) => [...new Set(values.flatMap(v => v ?? []))]
  const modalities = distinct(looked.map(({ modality }) => modality)).slice(0, 4)
  const parts = distinct(looked.map(({ bodyPart }) => bodyPart)).slice(0, 4)
  const what = [modalities.join('/') || kindNames[kind], parts.join('/')].filter(Boolean).join(' ')
  const series = distinct(looked.map(place => place.series)).length
  const counted = series > 0 ? `${series} series, ` : ''
  return `${what}, ${counted}${count(files.length, 'image')}`
}

const sealedTitle = (kind: Kind): string => `Sealed: ${kindNames[kind].toLowerCase()}`

/** When it was made: by the header, or else by when the newest of the files was last changed. */
function dateOf(looked: DicomPlace[], files: FoundFile[], today: string): string {
  const [first] = looked.flatMap(({ date }) => date ?? []).sort()
  if (first !== undefined) return first
  const newest = Math.max(...files.map(file => file.changedMilliseconds))
  const day = new Date(newest).toISOString().slice(0, 10)
  return day < today ? day : today
}
