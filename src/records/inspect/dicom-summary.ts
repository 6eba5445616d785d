import type { DataSet } from 'dicom-parser'
import { parseHeader } from './dicom-parse.ts'
import { type CharacterSet, decodeText } from './dicom-text.ts'
import type { InspectionSource } from './source.ts'
import {
  type DicomSummary,
  type HeaderPatient,
  lineOf,
  note,
  type ObjectSummary,
  type PatientNumber
} from './summary.ts'

/** Longer values are cut: PS3.5 allows 64 characters in nearly all of these. */
const TEXT_CHARACTERS_MAX = 120
/** Three spellings of five parts of up to 64 characters are the most a name has. */
const NAME_CHARACTERS_MAX = 400
const VALUE_BYTES_MAX = 2048
const NUMBERS_MAX = 20
const PATIENTS_MAX = 50

/** Media Storage Directory Storage: PS3.3 annex F. */
const DISC_DIRECTORY = '1.2.840.10008.1.3.10'

/** Tags: PS3.6, chapter 6. */
const tags = {
  sopClass: 'x00020002',
  characterSet: 'x00080005',
  sopClassOfDataSet: 'x00080016',
  sopInstance: 'x00080018',
  studyDate: 'x00080020',
  modality: 'x00080060',
  studyDescription: 'x00081030',
  seriesDescription: 'x0008103e',
  patientName: 'x00100010',
  patientId: 'x00100020',
  issuer: 'x00100021',
  issuerQualifiers: 'x00100024',
  birthDate: 'x00100030',
  sex: 'x00100040',
  otherIds: 'x00101000',
  otherIdsSequence: 'x00101002',
  identityRemoved: 'x00120062',
  bodyPart: 'x00180015',
  study: 'x0020000d',
  series: 'x0020000e',
  seriesNumber: 'x00200011',
  instanceNumber: 'x00200013',
  frames: 'x00280008',
  rows: 'x00280010',
  columns: 'x00280011',
  burnedIn: 'x00280301',
  universalEntity: 'x00400032',
  directoryRecords: 'x00041220'
} as const

/** What the header of a DICOM file says. Refusals: see `parseHeader`. */
export async function summariseDicom(source: InspectionSource): Promise<ObjectSummary> {
  const { dataSet, transferSyntax, partial, empty, otherSyntax } = await parseHeader(source)
  const values = valuesOf(dataSet)
  const sopClass = values.uid(tags.sopClassOfDataSet) ?? values.uid(tags.sopClass)
  const isDirectory = sopClass === DISC_DIRECTORY
  const patients = isDirectory ? patientsOfDirectory(dataSet) : [patientOf(dataSet, [])]
  const [patient, ...otherPatients] = patients.filter(each => each !== undefined)
  const burnedInAnnotation = values.yes(tags.burnedIn)
  const identityRemoved = values.yes(tags.identityRemoved)
  const dicom = compact<DicomSummary>({
    sopClass,
    sopInstance: values.uid(tags.sopInstance) ?? values.uid('x00020003'),
    study: values.uid(tags.study),
    series: values.uid(tags.series),
    transferSyntax: /^[\d.]{1,64}$/.test(transferSyntax) ? transferSyntax : undefined,
    modality: values.code(tags.modality),
    bodyPart: values.code(tags.bodyPart),
    studyDate: values.date(tags.studyDate),
    studyDescription: values.text(tags.studyDescription),
    seriesDescription: values.text(tags.seriesDescription),
    seriesNumber: values.integer(tags.seriesNumber),
    instanceNumber: values.integer(tags.instanceNumber),
    frames: values.integer(tags.frames),
    rows: values.short(tags.rows),
    columns: values.short(tags.columns),
    burnedInAnnotation,
    identityRemoved,
    patient,
    otherPatients: otherPatients.length > 0 ? otherPatients : undefined
  })
  return {
    dicom,
    notes: [
      ...(empty ? [note('no-data-set')] : []),
      ...(partial ? [note('header-not-fully-read')] : []),
      ...(otherSyntax ? [note('transfer-syntax-wrong')] : []),
      ...(isDirectory ? [note('disc-directory')] : []),
      ...(burnedInAnnotation ? [note('burned-in-annotation')] : [])
    ]
  }
}

function patientsOfDirectory(dataSet: DataSet): (HeaderPatient | undefined)[] {
  const items = dataSet.elements[tags.directoryRecords]?.items ?? []
  const found: HeaderPatient[] = []
  for (const item of items) {
    const patient = item.dataSet && patientOf(item.dataSet, valuesOf(dataSet).characterSet)
    if (patient !== undefined) found.push(patient)
    if (found.length === PATIENTS_MAX) break
  }
  return found
}

/** Undefined when the header names nobody. */
function patientOf(dataSet: DataSet, inherited: CharacterSet): HeaderPatient | undefined {
  const values = valuesOf(dataSet, inherited)
  const name = values.text(tags.patientName, NAME_CHARACTERS_MAX)
  const ids = [numberOf(dataSet, values.characterSet), ...otherNumbers(dataSet, values)]
    .filter(id => id !== undefined)
    .slice(0, NUMBERS_MAX)
  const patient = compact<HeaderPatient>({
    name: name === undefined || /^[\^=\s]*$/.test(name) ? undefined : name,
    birthDate: values.date(tags.birthDate),
    sex: values.code(tags.sex),
    ids
  })
  return patient.name || patient.birthDate || ids.length > 0 ? patient : undefined
}

function otherNumbers(dataSet: DataSet, values: Values): (PatientNumber | undefined)[] {
  const listed = (values.text(tags.otherIds, VALUE_BYTES_MAX) ?? '').split('\\')
  const items = dataSet.elements[tags.otherIdsSequence]?.items ?? []
  return [
    ...listed.map(value => (value.trim() === '' ? undefined : { value: value.trim() })),
    ...items
      .slice(0, NUMBERS_MAX)
      .map(item => item.dataSet && numberOf(item.dataSet, values.characterSet))
  ]
}

function numberOf(dataSet: DataSet, inherited: CharacterSet): PatientNumber | undefined {
  const values = valuesOf(dataSet, inherited)
  const value = values.text(tags.patientId)
  if (value === undefined) return undefined
  const qualifiers = dataSet.elements[tags.issuerQualifiers]?.items?.[0]?.dataSet
  const issuer =
    values.text(tags.issuer) ?? (qualifiers && valuesOf(qualifiers).text(tags.universalEntity))
  return issuer === undefined ? { value } : { value, issuer }
}

type Values = ReturnType<typeof valuesOf>

/** Reads values of one data set; what is not of its form is as if it were not there. */
function valuesOf(dataSet: DataSet, inherited: CharacterSet = []) {
  const raw = (tag: string): Buffer | undefined => {
    const element = dataSet.elements[tag]
    if (element === undefined || element.items !== undefined) return undefined
    const { dataOffset, length } = element
    const end = Math.min(dataOffset + Math.min(length, VALUE_BYTES_MAX), dataSet.byteArray.length)
    return Buffer.from(dataSet.byteArray.buffer, dataSet.byteArray.byteOffset).subarray(
      dataOffset,
      end
    )
  }
  const ascii = (tag: string) => raw(tag)?.toString('latin1').replace(/\0/g, ' ').trim()
  const matching = (tag: string, form: RegExp) => form.exec(ascii(tag) ?? '')?.[0]
  const declared = ascii(tags.characterSet)?.split('\\')
  const characterSet = declared ?? inherited
  return {
    characterSet,
    text(tag: string, charactersMax = TEXT_CHARACTERS_MAX): string | undefined {
      const bytes = raw(tag)
      return bytes && lineOf(decodeText(bytes, characterSet), charactersMax)
    },
    uid: (tag: string) => matching(tag, /^[0-9][0-9.]{0,63}$/),
    code: (tag: string) => matching(tag, /^[A-Z0-9_ ]{1,16}$/),
    yes(tag: string): boolean | undefined {
      const value = matching(tag, /^(YES|NO)$/)
      return value === undefined ? undefined : value === 'YES'
    },
    integer(tag: string): number | undefined {
      const value = Number(matching(tag, /^[+-]?\d{1,10}(?=$|\\)/))
      return Number.isSafeInteger(value) && ascii(tag) ? value : undefined
    },
    short(tag: string): number | undefined {
      return raw(tag)?.length === 2 ? dataSet.uint16(tag) : undefined
    },
    /** DA of PS3.5, or its form before 1993, with dots. */
    date(tag: string): string | undefined {
      const [, year, month, day] = /^(\d{4})\.?(\d\d)\.?(\d\d)$/.exec(ascii(tag) ?? '') ?? []
      const text = `${year}-${month}-${day}`
      return Number.isNaN(Date.parse(`${text}T00:00:00Z`)) ? undefined : text
    }
  }
}

/** Without the members that are undefined: they are not written down. */
function compact<T extends object>(value: { [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(
    Object.entries(value).filter(([, member]) => member !== undefined)
  ) as unknown as T
}
