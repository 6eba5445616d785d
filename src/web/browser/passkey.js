// Has an authenticator answer, then sends the form with its answer.

/**
 * What is used here of a form (the compiler reads our files as a server's).
 * @typedef {object} PasskeyForm
 * @property {Record<string, string | undefined>} dataset
 * @property {{ namedItem(name: string): { value: string } | null }} elements
 * @property {(type: 'submit', listener: (event: { preventDefault(): void }) => void) => void} addEventListener
 * @property {(selector: string) => { textContent: string | null } | null} querySelector
 * @property {() => void} submit
 *
 * @typedef {typeof import('@simplewebauthn/browser')} WebAuthn
 *
 * @typedef {object} Page
 * @property {{ querySelectorAll(selector: string): Iterable<PasskeyForm> }} document
 * @property {{ pathname: string, assign(url: string): void }} location
 * @property {WebAuthn} [SimpleWebAuthnBrowser]
 */

const page = /** @type {Page} */ (/** @type {unknown} */ (globalThis))
const webAuthn = page.SimpleWebAuthnBrowser

for (const form of page.document.querySelectorAll('form[data-passkey]')) {
  if (!webAuthn?.browserSupportsWebAuthn()) tell(form, form.dataset['cannot'])
  else form.addEventListener('submit', event => answer(webAuthn, form, event))
}

/**
 * @param {WebAuthn} webAuthn
 * @param {PasskeyForm} form
 * @param {{ preventDefault(): void }} event
 */
async function answer(webAuthn, form, event) {
  event.preventDefault()
  tell(form, '')
  try {
    const given = await ask(webAuthn, form)
    const field = form.elements.namedItem('answer')
    if (field !== null) field.value = JSON.stringify(given)
    form.submit()
  } catch (err) {
    const isKnown = err instanceof Error && err.name === 'InvalidStateError'
    tell(form, isKnown ? form.dataset['known'] : form.dataset['failed'])
  }
}

/**
 * @param {WebAuthn} webAuthn
 * @param {PasskeyForm} form
 */
async function ask(webAuthn, form) {
  const { passkey, options, optionsUrl = '' } = form.dataset
  const optionsJSON = options ? JSON.parse(options) : await fetchOptions(optionsUrl)
  return passkey === 'create'
    ? webAuthn.startRegistration({ optionsJSON })
    : webAuthn.startAuthentication({ optionsJSON })
}

/** @param {string} url */
async function fetchOptions(url) {
  const answer = await fetch(url, { method: 'POST' })
  const given = JSON.parse(await answer.text())
  if (given.code === 'proof-needed') {
    page.location.assign(`/prove?next=${encodeURIComponent(page.location.pathname)}`)
  }
  if (given.challenge === undefined) throw new Error('There is no challenge.')
  return given
}

/**
 * @param {PasskeyForm} form
 * @param {string | undefined} text
 */
function tell(form, text) {
  const place = form.querySelector('[data-passkey-problem]')
  if (place !== null) place.textContent = text ?? ''
}
