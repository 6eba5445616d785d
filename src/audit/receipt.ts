/** Receipts made by this process. Outside the module nobody can add to it, so none can be forged. */
const issued = new WeakSet<object>()

declare const brand: unique symbol

/**
 * Proof that the access event `eventId` is durably on record. A blob opens only against one, so no
 * byte can leave before its event. Only this module makes them.
 */
export interface Receipt {
  readonly eventId: string
  readonly [brand]: true
}

/** To be called by the audit module alone, once the event's transaction has committed. */
export function issueReceipt(eventId: string): Receipt {
  const receipt = Object.freeze({ eventId }) as Receipt
  issued.add(receipt)
  return receipt
}

/** Throws when `value` was not made by `issueReceipt`: a copy or a look-alike opens nothing. */
export function assertReceipt(value: unknown): asserts value is Receipt {
  if (typeof value === 'object' && value !== null && issued.has(value)) return
  throw new TypeError('A blob opens only against the receipt of a recorded access.')
}
