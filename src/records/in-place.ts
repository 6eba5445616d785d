import type { ObjectSummaryView } from '../../schemas/inspection.ts'

/** Pictures that every browser shows. */
const PICTURES = new Set(['image/png', 'image/jpeg'])

/**
 * Whether a browser may show a file in place, rather than save it: a picture, or a PDF in which nothing
 * was found that runs, opens or hides something, and all of which could be looked at.
 */
export function isShownInPlace(
  { type, endToEnd }: { type: string; endToEnd: boolean },
  { pdf }: Pick<ObjectSummaryView, 'pdf'>
): boolean {
  if (endToEnd) return false
  if (type === 'application/pdf') return pdf !== undefined && pdf.flags.length === 0
  return PICTURES.has(type)
}

/**
 * For a file that is shown in place: pages of ours alone may frame it, and it may fetch nothing. Without
 * `sandbox`, in which no browser's PDF viewer works; that a PDF has no script is judged before.
 */
export const inPlaceHeaders = {
  'content-disposition': 'inline',
  'content-security-policy':
    "default-src 'none'; object-src 'self'; style-src 'unsafe-inline'; img-src 'self'; frame-ancestors 'self'",
  'x-frame-options': 'SAMEORIGIN'
}
