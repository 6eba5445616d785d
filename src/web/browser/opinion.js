/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
// Saves a draft while it is written. What is not saved stays in the form, on a machine that may be
// anybody's: nothing of it is put into the storage of the browser.

const REST_MILLISECONDS = 2000
const RETRY_MILLISECONDS = 15_000

/** @param {HTMLFormElement} form */
function opinionIn(form) {
  const data = new FormData(form)
  /** @param {string} name */
  const text = name => String(data.get(name) ?? '').trim()
  /** @type {Record<string, unknown>} */
  const opinion = {}
  /** @type {Map<number, Record<string, unknown>>} */
  const answers = new Map()
  for (const [name] of data) {
    const [, part = '', number = ''] = /^(stance|answer|declined)-(\d+)$/.exec(name) ?? []
    if (part === '' || text(name) === '') continue
    answers.set(Number(number), {
      number: Number(number),
      ...answers.get(Number(number)),
      [part]: text(name)
    })
  }
  opinion['answers'] = [...answers.values()]
  for (const name of ['diagnosis', 'plan']) {
    const comment = text(`${name}-comment`)
    if (text(name) === '') continue
    opinion[name] = { agreement: text(name), ...(comment !== '' && { comment }) }
  }
  for (const [name, as] of [
    ['recommendations', 'recommendations'],
    ['further-tests', 'furtherTests'],
    ['limits', 'limits']
  ]) {
    if (name && as && text(name) !== '') opinion[as] = text(name)
  }
  const attachments = data.getAll('attachments').map(String)
  if (attachments.length > 0) opinion['attachments'] = attachments
  return opinion
}

/**
 * Whether words about the diagnosis or the plan stand without a judgement: there is no place to keep them.
 * @param {HTMLFormElement} form
 */
function hasLoneComment(form) {
  const data = new FormData(form)
  const text = (/** @type {string} */ name) => String(data.get(name) ?? '').trim()
  return ['diagnosis', 'plan'].some(name => text(name) === '' && text(`${name}-comment`) !== '')
}

/** @typedef {'saved' | 'savedBut' | 'conflict' | 'signedOut' | 'refused' | 'notYours' | 'offline'} Outcome */

/**
 * Sends an opinion over the version that the form names. Rejects when nobody knows what came of it.
 * @param {HTMLFormElement} form
 * @param {HTMLInputElement} version
 * @param {string} opinion
 * @returns {Promise<{ outcome: Outcome, values: Record<string, string> }>}
 */
async function put(form, version, opinion) {
  const answer = await fetch(form.dataset['save'] ?? '', {
    method: 'PUT',
    headers: { 'content-type': 'application/json', 'if-match': `"${version.value}"` },
    body: opinion
  })
  const { status } = answer
  const body = await answer.json()
  if (answer.ok) {
    version.value = String(body.version)
    const time = new Intl.DateTimeFormat(document.documentElement.lang, {
      hour: '2-digit',
      minute: '2-digit',
      hourCycle: 'h23'
    }).format(new Date())
    return { outcome: 'saved', values: { time } }
  }
  if (status >= 500 || status === 429) throw new Error('not now')
  if (status === 412) return { outcome: 'conflict', values: {} }
  if (status === 401) return { outcome: 'signedOut', values: {} }
  const why = [`${body.title}.`, ...(body.problems ?? [body.detail])].join(' ')
  return { outcome: [403, 404].includes(status) ? 'notYours' : 'refused', values: { why } }
}

/**
 * Saves what is in the form, one version after the other. What was sent and never answered may have been
 * saved: it is sent once more, as it was, before anything newer, so that nobody is told of a change in
 * another window that was their own.
 * @param {HTMLFormElement} form
 * @param {HTMLInputElement} version
 * @returns {() => Promise<{ outcome: Outcome, values: Record<string, string> }>}
 */
function createSaver(form, version) {
  let unanswered = ''
  return async () => {
    const opinion = JSON.stringify(opinionIn(form))
    const isPart = hasLoneComment(form)
    for (const each of new Set([unanswered, opinion])) {
      if (each === '') continue
      unanswered = each
      const told = await put(form, version, each)
      unanswered = ''
      if (told.outcome === 'saved' && each !== opinion) continue
      // Too long, say: what is wrong with it may be mended by now.
      if (told.outcome === 'refused' && each !== opinion) continue
      return told.outcome === 'saved' && isPart ? { ...told, outcome: 'savedBut' } : told
    }
    throw new Error('There is always an opinion to send.')
  }
}

/**
 * Says how the draft stands.
 * @param {HTMLFormElement} form
 * @param {Element} status
 * @returns {(sentence: Outcome | 'notSaved', values?: Record<string, string>) => void}
 */
function createTeller(form, status) {
  return (sentence, values = {}) => {
    const text = form.dataset[sentence === 'notYours' ? 'refused' : sentence] ?? ''
    const said = text.replace(/\{(\w+)\}/g, (_, key) => values[key] ?? '')
    // What is said already is not read out again.
    if (status.textContent !== said) status.textContent = said
    const signIn = form.querySelector('[data-sign-in]')
    signIn?.toggleAttribute('hidden', sentence !== 'signedOut' && sentence !== 'notYours')
  }
}

/**
 * @param {() => Promise<{ outcome: Outcome, values: Record<string, string> }>} send
 * @param {ReturnType<typeof createTeller>} tell
 */
function createKeeper(send, tell) {
  let isDirty = false
  let isOffline = false
  /** Trying again would not help: a person has to look at it. */
  let isStopped = false
  /** @type {Promise<Outcome> | undefined} */
  let saving
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer

  /** @returns {Promise<Outcome>} */
  const save = async () => {
    isDirty = false
    try {
      const { outcome, values } = await send()
      isDirty ||= outcome !== 'saved'
      isStopped = outcome === 'conflict'
      isOffline = false
      tell(outcome === 'saved' && isDirty ? 'notSaved' : outcome, values)
      return outcome
    } catch {
      isDirty = true
      isOffline = true
      tell('offline')
      later(RETRY_MILLISECONDS)
      return 'offline'
    }
  }
  const run = () => {
    if (!isDirty || isStopped) return
    if (saving !== undefined) return later(REST_MILLISECONDS)
    void start()
  }
  function start() {
    saving = save().finally(() => {
      saving = undefined
    })
    return saving
  }
  /** @param {number} milliseconds */
  function later(milliseconds) {
    clearTimeout(timer)
    timer = setTimeout(run, milliseconds)
  }
  return {
    run,
    changed() {
      isDirty = true
      if (!isStopped && !isOffline) tell('notSaved')
      later(REST_MILLISECONDS)
    },
    offline: () => isDirty && tell('offline'),
    isUnsaved: () => isDirty || saving !== undefined,
    /** Saves at once, after what is on its way, which gives the draft its next number. */
    async now() {
      await saving
      clearTimeout(timer)
      return start()
    }
  }
}

/** @param {HTMLFormElement} form @param {ReturnType<typeof createKeeper>} keeper */
function listen(form, keeper) {
  let leaves = false
  let isHandingOver = false
  /**
   * Saves first and goes on then: a page that cannot be reached would take what was typed with it. What
   * was saved elsewhere meanwhile, and what is wrong, the service shows beside what was typed.
   * @param {HTMLElement | null} submitter
   */
  const handOver = async submitter => {
    const outcome = await keeper.now()
    if (['offline', 'signedOut', 'notYours'].includes(outcome)) return
    leaves = true
    const next = submitter?.dataset['next']
    if (outcome === 'saved' && next !== undefined) location.assign(next)
    else form.requestSubmit(submitter)
  }
  form.addEventListener('input', keeper.changed)
  window.addEventListener('online', keeper.run)
  window.addEventListener('offline', keeper.offline)
  // Back from the tab in which they signed in again.
  window.addEventListener('focus', keeper.run)
  document.addEventListener('visibilitychange', () => document.hidden || keeper.run())
  window.addEventListener('beforeunload', event => {
    if (keeper.isUnsaved() && !leaves) event.preventDefault()
  })
  form.addEventListener('submit', event => {
    if (leaves) return
    event.preventDefault()
    if (isHandingOver) return
    isHandingOver = true
    void handOver(event.submitter).finally(() => {
      isHandingOver = false
    })
  })
}

const form = document.querySelector('form[data-save]')
if (form instanceof HTMLFormElement) {
  const version = form.elements.namedItem('version')
  const status = form.querySelector('[data-status]')
  if (version instanceof HTMLInputElement && status !== null) {
    listen(form, createKeeper(createSaver(form, version), createTeller(form, status)))
  }
}
