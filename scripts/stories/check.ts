let failures = 0

/** Says whether something is as it must be, and remembers when it is not. */
export function check(what: string, ok: boolean): void {
  if (!ok) failures += 1
  console.log(`  ${ok ? 'ok  ' : 'FAIL'} ${what}`)
}

/** How many checks have failed so far. */
export const failed = (): number => failures

/** Begins a chapter. */
export const chapter = (text: string): void => console.log(`\n${text}`)
