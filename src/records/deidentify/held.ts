/** Why a file waits for a person to look at it. */
export const heldReasons = {
  report: 'It is a report or holds free text.',
  document: 'It is a document within DICOM.',
  'burned-in': 'It says that text is burned into its picture.',
  'likely-burned-in': 'Pictures of this kind often have names burned in, and it does not say no.',
  capture: 'It is a picture of a screen or of paper.',
  photograph: 'It is a photograph, or may show a face.',
  'overlay-in-pixels': 'A drawing is hidden in the bits of its picture.',
  'kind-unknown': 'It is of a kind that nobody has judged.'
} as const
export type HeldReason = keyof typeof heldReasons

/** What a file says of itself that bears on it. */
export interface Signs {
  sopClass: string
  modality: string
  imageType: string
  conversionType: string
  burnedIn: string
  visualFeatures: string
  photometric: string
  overlayInPixels: boolean
}

const STORAGE = '1.2.840.10008.5.1.4.1.1.'

/** Storage classes by the part of their UID behind `STORAGE`: DICOM PS3.4, table B.5-1. */
const classes: readonly [reason: HeldReason, pattern: RegExp][] = [
  ['document', /^104(\.|$)/],
  ['report', /^(88|11|79|78|90)(\.|$)/],
  ['capture', /^7(\.|$)/],
  ['likely-burned-in', /^(3|6)(\.|$)/],
  ['photograph', /^77\.1\.(1|2|3|4|5|7|8|9)(\.|$)/]
]

/** Classes whose pictures a machine makes of the body alone, and others without a picture. */
const PLAIN =
  /^(2|2\.1|2\.2|4|4\.1|4\.2|4\.4|20|30|66\.[1-5]|67|128|128\.1|130|481\.[235]|9\.1\.[1-3]|9\.2\.1|9\.3\.1)$/

/** Those where the maker must have said that nothing is burned in. */
const SAYING_NO = /^(1(\.\d)*|12\.\d(\.\d)?|13\.1\.[1-5]|14\.[12]|77\.1\.6|481\.1)$/

const heldModalities: Record<string, HeldReason> = {
  US: 'likely-burned-in',
  IVUS: 'likely-burned-in',
  BDUS: 'likely-burned-in',
  EC: 'likely-burned-in',
  SR: 'report',
  PR: 'report',
  KO: 'report',
  DOC: 'document',
  SC: 'capture',
  OT: 'capture',
  HC: 'capture',
  FID: 'report',
  AU: 'report',
  XC: 'photograph',
  GM: 'photograph',
  ES: 'photograph',
  OP: 'photograph',
  DMS: 'photograph'
}

/**
 * Whether the file may pass without a person's look, by a list of kinds that may: DICOM PS3.15, E.3.1
 * says what may be burned in. Undefined when it may.
 */
export function heldReason(signs: Signs): HeldReason | undefined {
  const { sopClass, modality, imageType, burnedIn } = signs
  if (burnedIn === 'YES') return 'burned-in'
  if (signs.overlayInPixels) return 'overlay-in-pixels'
  const ofModality = Object.hasOwn(heldModalities, modality) ? heldModalities[modality] : undefined
  if (ofModality !== undefined) return ofModality
  const kind = sopClass.startsWith(STORAGE) ? sopClass.slice(STORAGE.length) : ''
  const ofClass = classes.find(([, pattern]) => pattern.test(kind))
  if (ofClass !== undefined) return ofClass[0]
  if (signs.visualFeatures === 'YES') return 'photograph'
  if (signs.conversionType !== '' || /SCREEN|CAPTURE|REPORT|DOSE|LABEL|OVERVIEW/.test(imageType)) {
    return 'capture'
  }
  if (PLAIN.test(kind)) {
    // A picture in colour where the machine measures grey values was drawn for people.
    return /^(RGB|YBR|PALETTE)/.test(signs.photometric) ? 'likely-burned-in' : undefined
  }
  if (!SAYING_NO.test(kind)) return 'kind-unknown'
  return burnedIn === 'NO' ? undefined : 'likely-burned-in'
}
