/** A move cannot be, or cannot go on, in the operator's words. */
export class MoveError extends Error {
  override readonly name = 'MoveError'
}
