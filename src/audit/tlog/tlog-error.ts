/** What can be wrong with a stored or received part of the log. */
export type TlogErrorCode =
  | 'entry-too-long'
  | 'tile-damaged'
  | 'bundle-damaged'
  | 'key-malformed'
  | 'key-type-unknown'
  | 'note-too-long'
  | 'note-malformed'
  | 'note-signature-wrong'
  | 'note-unsigned'
  | 'checkpoint-malformed'
  | 'checkpoint-origin-wrong'
  | 'proof-too-long'
  | 'proof-malformed'

/**
 * The one error these files throw for bytes and text that came from elsewhere. The message quotes
 * nothing of them, so it may be logged. Wrong arguments of a caller are RangeError or TypeError.
 */
export class TlogError extends Error {
  readonly code: TlogErrorCode

  constructor(code: TlogErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'TlogError'
    this.code = code
  }
}
