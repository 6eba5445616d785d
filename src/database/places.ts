/** Gives back a place. May be called again. */
export type GiveBack = () => void

/**
 * Takes one of the `max` places of this name. Undefined when none is left. A place also comes free
 * when the process that has it ends, however it ends.
 */
export type TakePlace = (name: string, max: number) => Promise<GiveBack | undefined>

/** Places of a database that this process has for itself. */
export function ownPlaces(): TakePlace {
  const taken = new Map<string, number>()
  return async (name, max) => {
    const count = taken.get(name) ?? 0
    if (count >= max) return undefined
    taken.set(name, count + 1)
    return once(() => {
      const left = (taken.get(name) ?? 1) - 1
      if (left > 0) taken.set(name, left)
      else taken.delete(name)
    })
  }
}

/** What is given back twice must not become two places. */
export function once(giveBack: GiveBack): GiveBack {
  let given = false
  return () => {
    if (given) return
    given = true
    giveBack()
  }
}
