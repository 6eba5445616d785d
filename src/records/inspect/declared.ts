import { Refusal } from '../../errors.ts'
import { extensionOf } from './file-name.ts'
import type { FileType } from './signatures.ts'
import { acceptedTypes, refusedExtensions } from './signatures.ts'

/** What the sender calls the file. */
export interface Declared {
  contentType?: string | undefined
  fileName?: string | undefined
}

/** Content types by which a client says that it does not know. */
const noDeclaration = ['', 'application/octet-stream']

/**
 * Throws `file-mislabelled` when the content type or the extension names a format that is none of
 * `types`. Parameters of the content type, and extensions we do not know, say nothing: scanners
 * number their files ("IM000.1").
 */
export function refuseContradiction(types: readonly FileType[], declared: Declared): void {
  const contentType = (declared.contentType ?? '').split(';', 1).join('').trim().toLowerCase()
  const accepted = types.map(type => acceptedTypes[type])
  const contentTypes: readonly string[] = accepted.flatMap(names => names.contentTypes)
  if (!noDeclaration.includes(contentType) && !contentTypes.includes(contentType)) {
    throw new Refusal('file-mislabelled', `declared as something else than ${types[0]}`)
  }
  const extension = extensionOf(declared.fileName ?? '')
  const extensions: readonly string[] = accepted.flatMap(names => names.extensions)
  if (isKnownExtension(extension) && !extensions.includes(extension)) {
    throw new Refusal('file-mislabelled', `extension of something else than ${types[0]}`)
  }
}

const acceptedExtensions: ReadonlySet<string> = new Set(
  Object.values(acceptedTypes).flatMap(names => [...names.extensions])
)

function isKnownExtension(extension: string): boolean {
  return acceptedExtensions.has(extension) || refusedExtensions.has(extension)
}
