import type { FileType } from './signatures.ts'
import type { DicomSummary, ObjectSummary } from './summary.ts'

export interface SeriesView {
  uid?: string
  number?: number
  modality?: string
  bodyPart?: string
  description?: string
  instances: number
  /** Where some instance has several. */
  frames?: number
}

export interface StudyView {
  uid?: string
  date?: string
  description?: string
  modalities: string[]
  instances: number
  series: SeriesView[]
}

/** Studies of the DICOM files among these, each with its series: in order of date and number. */
export function studiesOf(files: readonly Pick<ObjectSummary, 'dicom'>[]): StudyView[] {
  const studies = new Map<string, { view: StudyView; series: Map<string, SeriesView> }>()
  for (const { dicom } of files) {
    if (dicom === undefined) continue
    const uid = dicom.study ?? ''
    const study = studies.get(uid) ?? { view: newStudy(dicom), series: new Map() }
    studies.set(uid, study)
    study.view.instances += 1
    study.view.date ??= dicom.studyDate as string
    addToSeries(study.series, dicom)
  }
  const views = [...studies.values()].map(({ view, series }) => {
    const inOrder = [...series.values()].sort((a, b) => (a.number ?? 0) - (b.number ?? 0))
    const modalities = new Set(inOrder.flatMap(({ modality }) => modality ?? []))
    return definedOnly({ ...view, modalities: [...modalities].sort(), series: inOrder })
  })
  return views.sort((a, b) => (a.date ?? '').localeCompare(b.date ?? ''))
}

function newStudy({ study, studyDate, studyDescription }: DicomSummary): StudyView {
  return definedOnly({
    uid: study,
    date: studyDate,
    description: studyDescription,
    modalities: [],
    instances: 0,
    series: []
  })
}

function addToSeries(all: Map<string, SeriesView>, dicom: DicomSummary): void {
  const uid = dicom.series ?? ''
  const series: SeriesView =
    all.get(uid) ??
    definedOnly({
      uid: dicom.series,
      number: dicom.seriesNumber,
      modality: dicom.modality,
      bodyPart: dicom.bodyPart,
      description: dicom.seriesDescription,
      instances: 0
    })
  all.set(uid, series)
  series.instances += 1
  if ((dicom.frames ?? 1) > 1) series.frames = (series.frames ?? 0) + (dicom.frames ?? 0)
}

function definedOnly<T extends object>(view: { [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(
    Object.entries(view).filter(([, value]) => value !== undefined)
  ) as unknown as T
}

const days = new Intl.DateTimeFormat('en-GB', { dateStyle: 'long', timeZone: 'UTC' })
const numbers = new Intl.NumberFormat('en-GB')
const counted = (n: number, one: string, many = `${one}s`) =>
  `${numbers.format(n)} ${n === 1 ? one : many}`

/** Studies told one by one in the line; further ones are counted. */
const STUDIES_TOLD_MAX = 3

/**
 * A record in one line, as somebody would say it: "MR BRAIN of 16 March 2001: 1 series, 20 images;
 * 1 PDF of 3 pages".
 */
export function lineOfRecord(
  files: readonly (ObjectSummary & { type: string })[],
  studies: StudyView[]
): string {
  const told = studies.slice(0, STUDIES_TOLD_MAX).map(lineOfStudy)
  if (studies.length > told.length) {
    told.push(counted(studies.length - told.length, 'further study', 'further studies'))
  }
  for (const [type, tell] of others) {
    const ofType = files.filter(file => file.type === type)
    if (ofType.length > 0) told.push(tell(ofType))
  }
  return told.join('; ')
}

function lineOfStudy({ modalities, date, description, instances, series }: StudyView): string {
  const bodyPart = series.find(each => each.bodyPart !== undefined)?.bodyPart
  const what = [modalities.join('/'), description ?? bodyPart].filter(Boolean).join(' ')
  const when = date === undefined ? '' : ` of ${days.format(Date.parse(`${date}T00:00:00Z`))}`
  const frames = series.reduce((total, each) => total + (each.frames ?? 0), 0)
  const inFrames = frames > 0 ? `, ${counted(frames, 'frame')}` : ''
  const counts = `${counted(series.length, 'series', 'series')}, ${counted(instances, 'image')}`
  return `${what || 'DICOM study'}${when}: ${counts}${inFrames}`
}

const others: [FileType, (files: readonly ObjectSummary[]) => string][] = [
  [
    'application/pdf',
    files => {
      const pages = files.map(({ pdf }) => pdf?.pages)
      const total = pages.reduce<number>((sum, each) => sum + (each ?? 0), 0)
      const known = pages.every(each => each !== undefined)
      return `${counted(files.length, 'PDF')}${known ? ` of ${counted(total, 'page')}` : ''}`
    }
  ],
  [
    'image/tiff',
    files => {
      const [largest] = files.flatMap(({ slide }) => slide?.levels[0] ?? [])
      const levels = files[0]?.slide?.levels.length ?? 0
      const size = largest
        ? ` of ${numbers.format(largest.width)} × ${numbers.format(largest.height)} pixels`
        : ''
      const only = files.length === 1
      return `${counted(files.length, 'TIFF image')}${only ? size : ''}${only && levels > 1 ? ` in ${counted(levels, 'level')}` : ''}`
    }
  ],
  ['image/png', files => counted(files.length, 'picture')],
  ['image/jpeg', files => counted(files.length, 'photograph')],
  ['text/plain', files => counted(files.length, 'text')],
  [
    'application/age',
    files =>
      counted(files.length, 'file encrypted by its sender', 'files encrypted by their sender')
  ]
]
