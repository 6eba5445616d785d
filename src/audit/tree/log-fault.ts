/** The log contradicts itself, so nothing may be built on it. The message names indexes only. */
export class LogFault extends Error {
  override readonly name = 'LogFault'
}
