import { randomBytes } from 'node:crypto'

/** Ids that no two requests share: a random part for this run, and a count. */
export function requestIds(): () => string {
  const run = randomBytes(6).toString('base64url')
  let count = 0
  return () => {
    count += 1
    return `${run}-${count.toString(36)}`
  }
}
