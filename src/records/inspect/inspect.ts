import { Refusal } from '../../errors.ts'
import type { Declared } from './declared.ts'
import { refuseContradiction } from './declared.ts'
import { checkDicomHead, isDicom } from './dicom-head.ts'
import { embeddedFormat, startingFormat } from './match.ts'
import { checkPlainText } from './plain-text.ts'
import type { FileType } from './signatures.ts'
import { acceptedTypes, binarySignatures, embeddedSignatures } from './signatures.ts'
import type { Structure } from './structures.ts'
import { structures, tiff } from './structures.ts'

/** How many first bytes of a file `inspect` wants; all of them when the file is shorter. */
export const INSPECT_BYTES = 4096

export interface Inspection {
  /** What the bytes are, whatever the sender called them. */
  type: FileType
  /** The sender encrypted it: nobody between sender and specialist can look inside. */
  endToEnd: boolean
}

/**
 * Decides from its first bytes what a file really is, and refuses what the exchange does not take.
 * `head` holds the first `INSPECT_BYTES` bytes; `isWhole` says that the file ends with it.
 * Pure, and total: on any bytes it returns or throws one of these refusals.
 *
 * - `file-empty`: no bytes.
 * - `file-type-refused`: unknown, or known and not taken (programs, scripts, archives, markup,
 *   Office documents), or the right first bytes with a wrong structure behind them.
 * - `file-preamble-hostile`: DICOM whose preamble makes it another, dangerous, format too.
 * - `file-truncated`: it ends inside a structure that it has begun.
 * - `file-mislabelled`: the declared content type or the extension says otherwise.
 *
 * Only the head is judged. A file may still be damaged or hostile further on, which is why files
 * are only ever delivered as attachments that no browser interprets.
 */
export function inspect(head: Buffer, isWhole: boolean, declared: Declared): Inspection {
  if (head.length === 0) throw new Refusal('file-empty')
  const types = recognise(head, isWhole)
  refuseContradiction(types, declared)
  const [type] = types
  return { type, endToEnd: acceptedTypes[type].endToEnd }
}

/** The type of the bytes, first, then others that they rightly are as well. */
function recognise(head: Buffer, isWhole: boolean): [FileType, ...FileType[]] {
  if (isDicom(head)) {
    checkDicomHead(head, isWhole)
    // Slide scanners write files that are DICOM and TIFF at once: PS3.10 section 7.5.
    return tiff.begins(head) ? ['application/dicom', 'image/tiff'] : ['application/dicom']
  }
  const structure = structures.find(({ begins }) => begins(head))
  if (structure) {
    checkStructure(structure, head, isWhole)
    return [structure.type]
  }
  const flaw = checkPlainText(head, isWhole)
  if (flaw === undefined) return ['text/plain']
  throw new Refusal('file-type-refused', nameOfRefused(head) ?? flaw)
}

function checkStructure(structure: Structure, head: Buffer, isWhole: boolean): void {
  structure.check(head, isWhole)
  if (isWhole && structure.end && !head.includes(structure.end)) {
    throw new Refusal('file-truncated', `${structure.type} without its end`)
  }
}

/** For the log alone: what is not on the list of accepted types is refused with or without it. */
function nameOfRefused(head: Buffer): string | undefined {
  const format = startingFormat(head, binarySignatures) ?? embeddedFormat(head, embeddedSignatures)
  return format?.name
}
