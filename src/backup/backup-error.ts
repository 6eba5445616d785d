/** A backup or a restore cannot be, in the operator's words. Nothing was left half-made. */
export class BackupError extends Error {
  override readonly name = 'BackupError'
}
