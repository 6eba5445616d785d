import { type DicomSource, dicomSource, inflated, type Pull } from './dicom-source.ts'
import type { Element } from './elements.ts'
import { type HeldReason, heldReason, type Signs } from './held.ts'
import { formsOfNumber, partsOfName } from './identity.ts'
import { type FileHead, readHead } from './part-10.ts'
import { groupOf, representationOf, type Tag, tagOf } from './representations.ts'
import { ageAt, trimValue } from './values.ts'
import { PIXEL_DATA, walkDataSet } from './walk.ts'

/** What must be known of a file before a copy of it is begun. */
export interface Examined {
  sopClass: string
  sopInstance: string
  held: HeldReason | undefined
  /** Names and numbers of the patient anywhere in the file, in small letters. */
  names: ReadonlySet<string>
  /** From birth date and study date where the file tells no age; the birth date does not stay. */
  age: string | undefined
  /** Whether the table of offsets of pixel data in fragments says where they begin, and no more. */
  offsetsHold: boolean
}

/** Pixels as whole numbers of any length: what is asked for here is not behind them. */
const FLOAT_PIXELS = 0x7fe00008
const OVERLAY_BIT_POSITION = 0x0102
const NAMES_MAX = 1000

const signTags = {
  sopClass: '0008,0016',
  sopInstance: '0008,0018',
  modality: '0008,0060',
  imageType: '0008,0008',
  conversionType: '0008,0064',
  burnedIn: '0028,0301',
  visualFeatures: '0028,0302',
  photometric: '0028,0004',
  studyDate: '0008,0020',
  birthDate: '0010,0030',
  age: '0010,1010'
} as const
type Sign = keyof typeof signTags

const signOf = new Map<Tag, Sign>(
  Object.entries(signTags).map(([sign, tag]) => [tagOf(tag), sign as Sign])
)
const nameTags = new Set(
  ['0010,0010', '0010,1001', '0010,1005', '0010,1060', '0010,0012', '0010,0101'].map(tagOf)
)
const numberTags = new Set(
  `0010,0020 0010,1000 0010,0030 0008,0050 0010,2154 0010,2155 0010,1090 0010,0033 0038,0010 0040,2016
  0040,2017 0012,0040`
    .split(/\s+/)
    .map(tagOf)
)

/** The file behind its head, unpacked where it is deflated. */
export async function openDataSet(pull: Pull): Promise<{ head: FileHead; dataSet: DicomSource }> {
  const source = dicomSource(pull)
  const head = await readHead(source)
  return { head, dataSet: head.isDeflated ? dicomSource(inflated(source)) : source }
}

/**
 * Reads a file up to its pixel data, or through them where there is a table of several offsets, which is
 * true or not. What the file says is seen whatever kind of value it calls it. Refusals
 * `dicom-unreadable` and `dicom-too-complex`, in time and memory that its length bounds.
 */
export async function examineDicom(pull: Pull): Promise<Examined> {
  const { head, dataSet } = await openDataSet(pull)
  const told: Partial<Record<Sign, string>> = {}
  const names = new Set<string>()
  let [overlayInPixels, offsetsHold] = [false, false]

  await walkDataSet(dataSet, undefined, head.syntax, {
    before: element => (isBehindHeader(element) ? false : undefined),
    treat({ tag, representation }, { depth }) {
      if (tag === PIXEL_DATA && depth === 0) return 'pass'
      if (representation === 'SQ' || representationOf(tag) === 'SQ') return 'enter'
      if (nameTags.has(tag) || numberTags.has(tag)) return 'keep'
      const isAsked = signOf.has(tag) || isOverlayBit(tag)
      return isAsked && depth === 0 ? 'keep' : 'remove'
    },
    change({ tag }, _, value, { depth }) {
      const text = value.toString('latin1')
      const sign = signOf.get(tag)
      if (sign !== undefined && depth === 0) told[sign] = trimValue(text)
      if (nameTags.has(tag)) for (const part of partsOfName(text)) add(part)
      if (numberTags.has(tag)) for (const form of formsOfNumber(text)) add(form)
      if (isOverlayBit(tag) && value.some(byte => byte !== 0)) overlayInPixels = true
      return undefined
    },
    pixels: {
      offsetTable(table) {
        // None, or that the first frame begins at the beginning.
        if (table.length > 4) return table
        offsetsHold = table.every(byte => byte === 0)
        return false
      },
      offsetsHold: hold => {
        offsetsHold = hold
      }
    }
  })
  function add(name: string): void {
    if (names.size < NAMES_MAX) names.add(name)
  }

  const signs: Signs = {
    sopClass: told.sopClass || head.sopClass,
    sopClassOfHead: head.sopClass,
    transferSyntax: head.transferSyntax,
    modality: told.modality ?? '',
    imageType: told.imageType ?? '',
    conversionType: told.conversionType ?? '',
    burnedIn: told.burnedIn ?? '',
    visualFeatures: told.visualFeatures ?? '',
    photometric: told.photometric ?? '',
    overlayInPixels
  }
  return {
    sopClass: signs.sopClass,
    sopInstance: told.sopInstance ?? '',
    held: heldReason(signs),
    names,
    offsetsHold,
    age: told.age ? undefined : ageAt(told.birthDate ?? '', told.studyDate ?? '')
  }
}

function isBehindHeader(element: Element | undefined): boolean {
  if (element === undefined) return false
  if (element.tag === PIXEL_DATA) return element.length !== undefined
  return element.tag >= FLOAT_PIXELS
}

const isOverlayBit = (tag: Tag): boolean =>
  (groupOf(tag) & 0xff00) === 0x6000 && tag % 0x10000 === OVERLAY_BIT_POSITION
