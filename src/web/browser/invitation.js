// The token of an invitation's link is in the fragment. It goes into the form, and nowhere else.

/**
 * What is used here of the page (the compiler reads our files as a server's).
 * @typedef {{ value: string, textContent: string | null, dataset: Record<string, string | undefined> }} Part
 *
 * @typedef {object} Page
 * @property {{ querySelector(selector: string): Part | null }} document
 * @property {{ hash: string }} location
 */

const { document: shown, location: at } = /** @type {Page} */ (/** @type {unknown} */ (globalThis))
const field = shown.querySelector('form[data-invitation] input[name=link]')
const incomplete = shown.querySelector('[data-incomplete]')

if (field !== null && incomplete !== null) {
  if (at.hash.length > 1) field.value = at.hash.slice(1)
  if (field.value === '') incomplete.textContent = incomplete.dataset['text'] ?? ''
}
