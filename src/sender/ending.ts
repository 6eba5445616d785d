/** How `consilium send` and `consilium fetch` end. Scripts depend on them: never renumbered. */
export const exitCodes = {
  /** Everything is where it belongs. */
  done: 0,
  /** Something was refused or could not be read; the rest is done. */
  refused: 1,
  /** Called wrongly. */
  usage: 2,
  /** Stopped before the end. The same command goes on where it stopped. */
  stopped: 3,
  /** The service does not let this client do it. */
  unauthorised: 4
} as const

export type EndingName = keyof typeof exitCodes

/** Why a run ends, in a sentence for whoever typed the command. Never a token or a key. */
export class Ending extends Error {
  readonly ending: EndingName
  /** The code of the refusal that it is for. */
  readonly code: string | undefined

  constructor(ending: EndingName, message: string, code?: string) {
    super(message)
    this.name = 'Ending'
    this.ending = ending
    this.code = code
  }
}
