/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
// The page that a link leads to. The token is in the fragment: it stays in this tab, through signing in,
// and leaves it in the body of a form alone. What the token says by itself, until when, is read here.

const PLACE = 'consilium-link'
const WHOLE = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/

/** @param {string} id */
const element = id => document.getElementById(id)

/** @param {string} token @returns {{ nbf: number, exp: number } | undefined} */
function claimsOf(token) {
  if (!WHOLE.test(token)) return undefined
  try {
    const [, payload = ''] = token.split('.')
    const { nbf, exp } = JSON.parse(atob(payload.replaceAll('-', '+').replaceAll('_', '/')))
    return typeof exp === 'number' && typeof nbf === 'number' ? { nbf, exp } : undefined
  } catch {
    return undefined
  }
}

/** @param {number} seconds */
function momentOf(seconds) {
  const format = { dateStyle: 'long', timeStyle: 'short' }
  const { timeZone } = Intl.DateTimeFormat().resolvedOptions()
  // @ts-expect-error The styles are texts here.
  const text = new Intl.DateTimeFormat(document.documentElement.lang, format).format(seconds * 1000)
  const place = (timeZone.split('/').at(-1) ?? timeZone).replaceAll('_', ' ')
  return `${text} (${place})`
}

/** @param {string} token */
function show(token) {
  const claims = claimsOf(token)
  const state = claims === undefined ? 'incomplete' : stateOf(claims)
  for (const part of document.querySelectorAll('[data-link-state]')) {
    if (!(part instanceof HTMLElement)) continue
    part.hidden = !(part.dataset['linkState'] ?? '').split(' ').includes(state)
    if (claims === undefined) continue
    for (const line of part.querySelectorAll('[data-text]')) {
      if (!(line instanceof HTMLElement)) continue
      line.textContent = (line.dataset['text'] ?? '')
        .replace('{until}', momentOf(claims.exp))
        .replace('{from}', momentOf(claims.nbf))
    }
  }
  for (const field of document.querySelectorAll('input[name="link"]')) {
    if (field instanceof HTMLInputElement) field.value = token
  }
}

/** @param {{ nbf: number, exp: number }} claims */
function stateOf({ nbf, exp }) {
  const now = Date.now() / 1000
  if (now >= exp) return 'expired'
  return now < nbf ? 'early' : 'whole'
}

function begin() {
  const given = location.hash.slice(1)
  if (given !== '') sessionStorage.setItem(PLACE, given)
  const token = given === '' ? sessionStorage.getItem(PLACE) : given
  if (token !== null && element('link-page') !== null) show(token)
}

// Another link that is followed in this tab changes the fragment alone.
window.addEventListener('hashchange', begin)
begin()
