// Begins an upload once: however often the button is pressed, and in however many tabs, of the same files
// and the same words there is one draft, and one tab that sends into it.
import { digestOf } from './upload-files.js'

/** @typedef {import('./upload-files.js').Chosen} Chosen */

const PLACE = 'consilium-attempt:'

/** @typedef {{ kind: string, title: string, date: string }} Fields */
/**
 * @typedef {{ draft: string } | { status: number, title: string, detail: string }} Begun
 * The status is 0 when no answer came.
 */

/**
 * Makes the draft, or finds the one that another tab made of the same. If it stops before the answer,
 * the attempt is remembered: begun again, it is the same draft.
 * @param {string} caseId
 * @param {string} own The attempt of this page.
 * @param {Fields} fields
 * @param {Chosen[]} chosen
 * @returns {Promise<Begun>}
 */
export async function begin(caseId, own, fields, chosen) {
  const files = chosen.map(({ file, path }) => `${path}\n${file.size}\n${file.lastModified}`).sort()
  const place = `${PLACE}${await digestOf([caseId, ...Object.values(fields), ...files])}`
  const attempt = await agreedOn(place, own)
  const answer = await send(caseId, { ...fields, attempt })
  // What another tab began is a record by now: whoever presses the button wants it once more.
  const isOver = ['draft-over', 'draft-not-found'].includes(answer.code ?? '') && attempt !== own
  if (!isOver) return 'draft' in answer ? remembering(answer, place) : answer
  localStorage.setItem(place, own)
  const again = await send(caseId, { ...fields, attempt: own })
  return 'draft' in again ? remembering(again, place) : again
}

/** @param {{ draft: string }} begun @param {string} place */
function remembering(begun, place) {
  localStorage.setItem(`consilium-begun:${begun.draft}`, place)
  return begun
}

/** @param {string} draft */
export function forget(draft) {
  const place = localStorage.getItem(`consilium-begun:${draft}`)
  if (place !== null) localStorage.removeItem(place)
  for (const name of ['begun', 'upload', 'files']) {
    localStorage.removeItem(`consilium-${name}:${draft}`)
  }
}

/**
 * The attempt of whichever tab came first. One after the other, or both would be first.
 * @param {string} place
 * @param {string} own
 * @returns {Promise<string>}
 */
function agreedOn(place, own) {
  return navigator.locks.request('consilium-attempt', () => {
    const before = localStorage.getItem(place)
    if (before === null) localStorage.setItem(place, own)
    return before ?? own
  })
}

/**
 * @param {string} caseId
 * @param {Fields & { attempt: string }} wanted
 * @returns {Promise<Begun & { code?: string }>}
 */
async function send(caseId, wanted) {
  try {
    const answer = await fetch(`/v1/cases/${caseId}/drafts`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(wanted)
    })
    const { status } = answer
    const { id, title = '', detail = '', code } = await answer.json().catch(() => ({}))
    return answer.ok ? { draft: id } : { status, title, detail, code }
  } catch {
    return { status: 0, title: '', detail: '' }
  }
}

/**
 * Whether this tab may send into the draft: one at a time does. It may until it is closed.
 * @param {string} draft
 * @returns {Promise<boolean>}
 */
export function takeTurn(draft) {
  return new Promise(resolve => {
    void navigator.locks.request(`consilium-upload:${draft}`, { ifAvailable: true }, lock => {
      resolve(lock !== null)
      return lock === null ? undefined : new Promise(() => {})
    })
  })
}
