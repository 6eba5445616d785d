/** Counts what each account has under way, so that none takes all. */
export interface Places {
  /** Takes a place and returns what gives it back, or undefined when the account has none left. */
  take(accountId: string): (() => void) | undefined
}

export function createPlaces(perAccountMax: number): Places {
  const taken = new Map<string, number>()
  return {
    take(accountId) {
      const count = taken.get(accountId) ?? 0
      if (count >= perAccountMax) return undefined
      taken.set(accountId, count + 1)
      let given = false
      return () => {
        if (given) return
        given = true
        const left = (taken.get(accountId) ?? 1) - 1
        if (left > 0) taken.set(accountId, left)
        else taken.delete(accountId)
      }
    }
  }
}
