// Which place in the record each file has, so that what is chosen again after a reload is known again.
import { fingerprint } from './upload-files.js'

/** @typedef {import('./upload-files.js').Chosen} Chosen */
/** @typedef {import('./upload-queue.js').Item} Item */
/** @typedef {import('./upload-queue.js').Known} Known */

/**
 * The place of each file by its fingerprint; below zero for one that was given up.
 * @param {string} draft
 * @returns {Record<string, number>}
 */
const placesOf = draft => JSON.parse(localStorage.getItem(`consilium-upload:${draft}`) ?? '{}')

/** @param {string} draft @param {Record<string, number>} places */
const keep = (draft, places) =>
  localStorage.setItem(`consilium-upload:${draft}`, JSON.stringify(places))

/**
 * Gives every file its place: the one it had before, or the next that is free. What came from another
 * browser is known by name and size. What this one sent is known by its fingerprint alone: slices of two
 * series have the same names and sizes, and one would go on in the other, or not be sent at all.
 * @param {string} draft
 * @param {Chosen[]} files
 * @param {Known[]} arrived
 * @returns {Promise<Item[]>}
 */
export async function planned(draft, files, arrived) {
  const places = placesOf(draft)
  const known = new Set(Object.values(places).map(Math.abs))
  const taken = new Set([...known, ...arrived.map(({ position }) => position)])
  let next = 1
  /** @type {Item[]} */
  const plan = []
  for (const one of files) {
    const key = await fingerprint(draft, one)
    const alike = arrived.find(
      ({ fileName, bytes, position }) =>
        fileName === one.file.name && bytes === one.file.size && !known.has(position)
    )
    while (taken.has(next)) next += 1
    const own = places[key] ?? 0
    const position = own > 0 ? own : (alike?.position ?? next)
    taken.add(position)
    known.add(position)
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
  keep(draft, places)
  remember(draft, Object.values(places).filter(place => place > 0).length)
  return plan
}

/**
 * Gives up the file of a place, which stays taken: what has come of it may still be there.
 * @param {string} draft
 * @param {number} position
 */
export function giveUp(draft, position) {
  const places = placesOf(draft)
  for (const [key, place] of Object.entries(places)) if (place === position) places[key] = -place
  keep(draft, places)
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
