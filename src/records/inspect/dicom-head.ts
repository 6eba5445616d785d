import { Refusal } from '../../errors.ts'
import { embeddedFormat, startingFormat, startsAt } from './match.ts'
import {
  activeMarkup,
  binarySignatures,
  embeddedSignatures,
  leadingMarkup,
  textSignatures
} from './signatures.ts'

const PREAMBLE_BYTES = 128
const PREFIX = Buffer.from('DICM')
const META_START = PREAMBLE_BYTES + PREFIX.length

/** Tag, value representation and length of a short explicit element. */
const ELEMENT_HEADER_BYTES = 8
const META_GROUP = 0x0002

/** Value representations that elements of group 0002 have: DICOM PS3.6 chapter 7. */
const metaRepresentations = ['UL', 'OB', 'UI', 'SH', 'AE', 'UR']

/** Whether the bytes are a DICOM file: PS3.10 section 7.1 tells it by the prefix alone. */
export function isDicom(head: Buffer): boolean {
  return startsAt(head, PREFIX, PREAMBLE_BYTES)
}

/** Throws a `Refusal` when the preamble is hostile or no file meta information follows it. */
export function checkDicomHead(head: Buffer, isWhole: boolean): void {
  checkPreamble(head.subarray(0, PREAMBLE_BYTES))
  checkFileMeta(head, isWhole)
}

/**
 * The standard leaves the 128 bytes before "DICM" to the application, so a file can be DICOM and a
 * program at once (CVE-2019-11687; PS3.10 section 7.5).
 *
 * Only known dangerous formats are refused, not all that is neither zero nor TIFF. Honest files
 * break that stricter rule: among 216 public test files ten did, nine of one scanner with a stray
 * bit in an empty preamble and one with its viewer's advertisement. To refuse them would keep a
 * scan from its specialist, and their makers cannot change them. A format nobody listed here would
 * have to be started by a system that looks past the name and type we deliver the file under.
 *
 * Programs, scripts and most archives must begin the file, so they are looked for there; ZIP, 7z,
 * RAR and PDF are found by their readers further in, so they are looked for everywhere. Not beyond
 * the preamble: a report wrapped in DICOM rightly holds "%PDF-" in its first kilobyte.
 */
function checkPreamble(preamble: Buffer): void {
  const hidden =
    startingFormat(preamble, binarySignatures) ??
    startingFormat(preamble, textSignatures) ??
    embeddedFormat(preamble, embeddedSignatures)
  if (hidden) throw new Refusal('file-preamble-hostile', hidden.name)
  const text = preamble.toString('latin1')
  if (activeMarkup.test(text) || leadingMarkup.test(text)) {
    throw new Refusal('file-preamble-hostile', 'markup')
  }
}

/**
 * Group 0002 is always explicit little endian, whatever the data set is. It should begin with its
 * own length; a file that begins with another of its elements is read by everybody, and so taken.
 */
function checkFileMeta(head: Buffer, isWhole: boolean): void {
  need(head, META_START + ELEMENT_HEADER_BYTES)
  const [group, element] = [head.readUInt16LE(META_START), head.readUInt16LE(META_START + 2)]
  const representation = head.toString('latin1', META_START + 4, META_START + 6)
  if (group !== META_GROUP || !metaRepresentations.includes(representation)) {
    refuse('DICOM without explicit file meta information')
  }
  if (element !== 0) return

  const valueStart = META_START + ELEMENT_HEADER_BYTES
  const elementsStart = valueStart + 4
  if (representation !== 'UL' || head.readUInt16LE(META_START + 6) !== 4) {
    refuse('DICOM with a wrong group length')
  }
  need(head, elementsStart)
  const groupBytes = head.readUInt32LE(valueStart)
  if (isWhole) need(head, elementsStart + groupBytes)
  if (groupBytes < ELEMENT_HEADER_BYTES) refuse('DICOM with empty file meta information')
  if (head.length >= elementsStart + 2 && head.readUInt16LE(elementsStart) !== META_GROUP) {
    refuse('DICOM whose file meta information has no elements')
  }
}

function need(head: Buffer, bytes: number): void {
  if (head.length < bytes) throw new Refusal('file-truncated', 'DICOM cut in its header')
}

function refuse(detail: string): never {
  throw new Refusal('file-type-refused', detail)
}
