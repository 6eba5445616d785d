import { issueReceipt, type Receipt } from './receipt.ts'

/**
 * Lets the service look into a file it has just stored and not yet taken: its table of contents may
 * be anywhere in it. Nothing leaves the service, and nobody is told what was seen but the upload
 * itself, whose event is written with the record or the refusal; so there is no event before it.
 */
export function receiptForInspection(objectId: string): Receipt {
  return issueReceipt(`inspection of ${objectId}`)
}
