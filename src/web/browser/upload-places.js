// Which place in the record each file has, so that what is chosen again after a reload is known again.
import { fingerprint } from './upload-files.js'

/** @typedef {import('./upload-files.js').Chosen} Chosen */
/** @typedef {import('./upload-queue.js').Item} Item */
/** @typedef {import('./upload-queue.js').Known} Known */

/**
 * Gives every file its place: the one it had before, or the next that is free.
 * @param {string} draft
 * @param {Chosen[]} files
 * @param {Known[]} arrived
 * @returns {Promise<Item[]>}
 */
export async function planned(draft, files, arrived) {
  /** @type {Record<string, number>} */
  const places = JSON.parse(localStorage.getItem(`consilium-upload:${draft}`) ?? '{}')
  const taken = new Set([...Object.values(places), ...arrived.map(({ position }) => position)])
  let next = 1
  /** @type {Item[]} */
  const plan = []
  for (const one of files) {
    const key = await fingerprint(draft, one)
    const alike = arrived.find(
      ({ fileName, bytes, position }) =>
        fileName === one.file.name &&
        bytes === one.file.size &&
        !plan.some(item => item.position === position)
    )
    while (taken.has(next)) next += 1
    const position = places[key] ?? alike?.position ?? next
    taken.add(position)
    places[key] = position
    plan.push({
      chosen: one,
      position,
      upload: undefined,
      sent: 0,
      state: 'waiting',
      problem: '',
      tries: 0
    })
  }
  localStorage.setItem(`consilium-upload:${draft}`, JSON.stringify(places))
  remember(draft, plan.length)
  return plan
}

/**
 * How many files there are to be, so that a part is not taken for the whole later.
 * @param {string} draft
 */
export const wantedOf = draft => Number(localStorage.getItem(`consilium-files:${draft}`) ?? 0)

/** @param {string} draft @param {number} count */
function remember(draft, count) {
  localStorage.setItem(`consilium-files:${draft}`, String(Math.max(wantedOf(draft), count)))
}
