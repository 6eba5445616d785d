/** Gives a place back. To be called once. */
export type Leave = () => void

/** Places for so many at once; who comes later waits for their turn. */
export function createSlots(max: number): { take(): Promise<Leave> } {
  const waiting: (() => void)[] = []
  let taken = 0
  function leave(): void {
    const next = waiting.shift()
    if (next === undefined) taken -= 1
    else next()
  }
  return {
    async take() {
      if (taken < max) taken += 1
      else await new Promise<void>(resolve => waiting.push(resolve))
      return leave
    }
  }
}
