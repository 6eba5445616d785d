/** Why a file waits for a person to look at it. */
export const heldReasons = {
  report: 'It is a report or holds free text.',
  document: 'It is a document within DICOM.',
  'burned-in': 'It says that text is burned into its picture.',
  'likely-burned-in': 'Pictures of this kind often have names burned in, and it does not say no.',
  capture: 'It is a picture of a screen or of paper.',
  photograph: 'It is a photograph, or may show a face.',
  'overlay-in-pixels': 'A drawing is hidden in the bits of its picture.',
  'kind-unknown': 'It is of a kind that nobody has judged.',
  'compression-unknown': 'Its pixels are compressed in a way that may carry text.',
  contradictory: 'Its beginning and its content say that it is of different kinds.'
} as const
export type HeldReason = keyof typeof heldReasons

/** What a file says of itself that bears on it. */
export interface Signs {
  sopClass: string
  /** As the file meta information says; empty where it does not. */
  sopClassOfHead: string
  transferSyntax: string
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
  /^(2|2\.1|2\.2|4|4\.1|4\.2|4\.4|20|30|66\.[124]|67|128|128\.1|130|481\.[235]|9\.1\.[1-3]|9\.2\.1|9\.3\.1)$/

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

/** Those of the classes that may pass: PS3.3, section C.7.3.1.1.1, retired ones too. */
const knownModalities = new Set(
  `AR ASMT AS BI BMD CD CF CR CS CT CTPROTOCOL DD DG DM DS DX ECG EEG EMG EOG EPS HD IO KER LEN LS M3D
  MA MG MR MS NM OAM OCT OPM OPR OPT OPTBSV OPTENF OPV OSS OT PA PLAN POS PT PX REG RESP RF RG RTDOSE
  RTIMAGE RTINTENT RTPLAN RTRAD RTRECORD RTSEGANN RTSTRUCT RWV SEG SM SMR SRF ST STAIN TEXTUREMAP TG
  VA VF XA XAPROTOCOL`
    .split(/\s+/)
    .concat('')
)
const knownPhotometrics = new Set([
  '',
  'MONOCHROME1',
  'MONOCHROME2',
  'PALETTE COLOR',
  'RGB',
  'HSV',
  'ARGB',
  'CMYK',
  'YBR_FULL',
  'YBR_FULL_422',
  'YBR_PARTIAL_422',
  'YBR_PARTIAL_420',
  'YBR_ICT',
  'YBR_RCT'
])

/** Compressions whose pictures may hold text beside them that nothing here finds: video, JPEG XL. */
const OPAQUE_SYNTAXES = /^1\.2\.840\.10008\.1\.2\.4\.(1\d\d|210)$/

/** Each value of a code, as it should have been written. */
const valuesOf = (text: string): string[] =>
  text.split('\\').map(one =>
    one
      .replace(/[\s\0]+/g, ' ')
      .trim()
      .toUpperCase()
  )

/**
 * Whether the file may pass without a person's look, by a list of kinds that may: DICOM PS3.15, E.3.1
 * says what may be burned in. Every value counts, however it is written. Undefined when it may.
 */
export function heldReason(signs: Signs): HeldReason | undefined {
  const [burnedIn, photometrics] = [valuesOf(signs.burnedIn), valuesOf(signs.photometric)]
  if (burnedIn.includes('YES')) return 'burned-in'
  if (signs.overlayInPixels) return 'overlay-in-pixels'
  const { sopClass, sopClassOfHead } = signs
  return (
    ofModality(valuesOf(signs.modality)) ??
    ofClass(sopClass) ??
    (sopClassOfHead === '' ? undefined : ofClass(sopClassOfHead)) ??
    ofPicture(signs) ??
    (sopClassOfHead !== '' && sopClassOfHead !== sopClass ? 'contradictory' : undefined) ??
    ofColours(photometrics, sopClass) ??
    ofSilence(burnedIn, sopClass) ??
    (OPAQUE_SYNTAXES.test(signs.transferSyntax) ? 'compression-unknown' : undefined)
  )
}

function ofModality(modalities: string[]): HeldReason | undefined {
  for (const modality of modalities) {
    if (Object.hasOwn(heldModalities, modality)) return heldModalities[modality]
  }
  return modalities.every(each => knownModalities.has(each)) ? undefined : 'kind-unknown'
}

const kindOf = (sopClass: string): string =>
  sopClass.startsWith(STORAGE) ? sopClass.slice(STORAGE.length) : ''

function ofClass(sopClass: string): HeldReason | undefined {
  return classes.find(([, pattern]) => pattern.test(kindOf(sopClass)))?.[0]
}

function ofPicture({ visualFeatures, conversionType, imageType }: Signs): HeldReason | undefined {
  const isFree = valuesOf(visualFeatures).every(each => each === 'NO' || each === '')
  if (!isFree) return 'photograph'
  const isCapture = /SCREEN|CAPTURE|REPORT|DOSE|LABEL|OVERVIEW/.test(imageType.toUpperCase())
  return conversionType !== '' || isCapture ? 'capture' : undefined
}

function ofColours(photometrics: string[], sopClass: string): HeldReason | undefined {
  if (!photometrics.every(each => knownPhotometrics.has(each))) return 'kind-unknown'
  // A picture in colour where the machine measures grey values was drawn for people.
  const isColour = photometrics.some(each => each !== '' && !each.startsWith('MONOCHROME'))
  return isColour && PLAIN.test(kindOf(sopClass)) ? 'likely-burned-in' : undefined
}

/** What may have something burned in, and does not say that it has not. */
function ofSilence(burnedIn: string[], sopClass: string): HeldReason | undefined {
  const kind = kindOf(sopClass)
  const isOdd = burnedIn.some(each => each !== 'NO' && each !== '')
  if (PLAIN.test(kind)) return isOdd ? 'likely-burned-in' : undefined
  if (!SAYING_NO.test(kind)) return 'kind-unknown'
  return burnedIn.every(each => each === 'NO') ? undefined : 'likely-burned-in'
}
