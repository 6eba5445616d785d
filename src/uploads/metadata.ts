import type { Limits } from '../config.ts'
import { Refusal } from '../errors.ts'
import { isId } from '../http/page.ts'
import { safeFileName } from '../records/inspect/file-name.ts'
import type { UploadMetadata } from './draft.ts'

/** A content type longer than this is none. */
const CONTENT_TYPE_CHARACTERS_MAX = 200

/** What Upload-Metadata says: into which draft, at which place, and what the file is. */
export interface ReadMetadata {
  draftId: string
  position: number | undefined
  metadata: Omit<UploadMetadata, 'fileName'> & { fileName?: string }
}

/**
 * Reads Upload-Metadata, whose keys are `draft`, and optionally `filename`, `filetype`, `sha256` (in
 * hex) and `position`. Others are kept and given back, as tus asks, and mean nothing here.
 */
export function readMetadata(
  sent: Record<string, string | null>,
  limits: Pick<Limits, 'objectsPerRecordMax'>
): ReadMetadata {
  const { draft, filename, filetype, sha256, position } = sent
  if (!draft || !isId(draft)) throw invalid('Upload-Metadata has no draft, or one that is no id')
  if (sha256 && !/^[0-9a-f]{64}$/i.test(sha256)) throw invalid('sha256 is not 64 hex digits')
  const place = position ? Number(position) : undefined
  const isPlace = place === undefined || /^[1-9]\d{0,6}$/.test(String(position))
  if (!isPlace || (place ?? 1) > limits.objectsPerRecordMax) {
    throw invalid(`position is no number from 1 to ${limits.objectsPerRecordMax}`)
  }
  if ((filetype ?? '').length > CONTENT_TYPE_CHARACTERS_MAX) throw invalid('filetype is too long')
  const fileName = safeFileName(filename ?? undefined, '')
  return {
    draftId: draft,
    position: place,
    metadata: {
      sent,
      ...(fileName !== '' && { fileName }),
      ...(filetype && { contentType: filetype }),
      ...(sha256 && { sha256: sha256.toLowerCase() })
    }
  }
}

function invalid(problem: string): Refusal {
  return new Refusal('request-invalid', 'Upload-Metadata', { problems: [problem] })
}
