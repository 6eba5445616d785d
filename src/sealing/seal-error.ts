/** What can be wrong with a sealed object, a wrapped key or a key ring. */
export type SealErrorCode =
  | 'sealed-truncated'
  | 'sealed-damaged'
  | 'sealed-wrong-key'
  | 'key-missing'
  | 'key-damaged'
  | 'keyring-unsafe'
  | 'keyring-damaged'
  | 'keys-unavailable'
  | 'sealing-stopped'
  | 'sealing-aborted'

/**
 * The one error the sealing module throws for what it finds or meets at run time. The message names
 * no key, context or identifier, so it may be logged. Wrong arguments are RangeError or TypeError.
 */
export class SealError extends Error {
  readonly code: SealErrorCode

  constructor(code: SealErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'SealError'
    this.code = code
  }
}
