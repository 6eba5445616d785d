/** What an inspection learned of one file. Kept sealed under the key of its record. */
export interface ObjectSummary {
  dicom?: DicomSummary
  pdf?: PdfSummary
  slide?: SlideSummary
  image?: { width: number; height: number }
  /** In plain English, with nothing personal in them. */
  notes: Note[]
}

export interface DicomSummary {
  /** UIDs are absent where the file has none, or what it has is no UID. */
  sopClass?: string
  sopInstance?: string
  study?: string
  series?: string
  transferSyntax?: string
  modality?: string
  bodyPart?: string
  /** As 2026-11-23. */
  studyDate?: string
  studyDescription?: string
  seriesDescription?: string
  seriesNumber?: number
  instanceNumber?: number
  frames?: number
  rows?: number
  columns?: number
  burnedInAnnotation?: boolean
  identityRemoved?: boolean
  patient?: HeaderPatient
  /** A directory of a disc (DICOMDIR) may name several; these are the ones after the first. */
  otherPatients?: HeaderPatient[]
}

/** Who the header says the patient is. */
export interface HeaderPatient {
  /** As in the header: parts divided by "^", and up to three spellings by "=". */
  name?: string
  /** As 1951-03-17. */
  birthDate?: string
  sex?: string
  ids: PatientNumber[]
}

export interface PatientNumber {
  value: string
  issuer?: string
}

export const pdfFlags = [
  'javascript',
  'launch',
  'embedded-files',
  'encrypted',
  'open-action',
  'not-fully-read'
] as const
export type PdfFlag = (typeof pdfFlags)[number]

export interface PdfSummary {
  pages?: number
  flags: PdfFlag[]
}

export interface SlideLevel {
  width: number
  height: number
  tileWidth?: number
  tileHeight?: number
}

export interface SlideSummary {
  levels: SlideLevel[]
  /** Whether it holds a photograph of its label, which often shows a name or a number. */
  label: boolean
  /** Whether it holds a photograph of the whole glass, which may show the label. */
  macro: boolean
  vendor?: string
}

/** What may be said of any file. Wire constants: never renamed, only added to. */
const noteTexts = {
  'inspection-stopped': 'Looking into this file took too long and was stopped.',
  'not-inspected': 'This file was stored before files were looked into.',
  'header-not-fully-read': 'A part of the header could not be read.',
  'no-data-set': 'The file has a DICOM beginning and nothing after it.',
  'transfer-syntax-wrong': 'The header names another encoding than the file has.',
  'disc-directory': 'This is the directory of a disc, not an image.',
  'burned-in-annotation': 'The image says that text is burned into its pixels.',
  'structure-not-fully-read': 'Not every part of the file was looked at.',
  'label-image': 'The slide holds a photograph of its label.'
} as const
export type NoteCode = keyof typeof noteTexts
export const noteCodes = Object.keys(noteTexts) as NoteCode[]

export interface Note {
  code: NoteCode
  text: string
}

export function note(code: NoteCode): Note {
  return { code, text: noteTexts[code] }
}

/** Controls, line ends, and invisible characters that reorder or hide text. */
const hidden = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}]/gu

/** A text of a file as it may be shown in one line: undefined when nothing is left of it. */
export function lineOf(text: string, charactersMax: number): string | undefined {
  const clean = text.toWellFormed().normalize('NFC').replace(hidden, ' ').replace(/\s+/gu, ' ')
  return [...clean.trim()].slice(0, charactersMax).join('').trim() || undefined
}
