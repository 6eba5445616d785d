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
 * Sends what is in the form over the version it names, and resolves to the sentence that says what came
 * of it. Rejects when nothing could be sent.
 * @param {HTMLFormElement} form
 * @param {HTMLInputElement} version
 * @returns {Promise<{ sentence: string, values?: Record<string, string>, status: number }>}
 */
async function send(form, version) {
  const answer = await fetch(form.dataset['save'] ?? '', {
    method: 'PUT',
    headers: { 'content-type': 'application/json', 'if-match': `"${version.value}"` },
    body: JSON.stringify(opinionIn(form))
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
    return { status, sentence: 'saved', values: { time } }
  }
  if (status === 412) return { status, sentence: 'conflict' }
  if (status === 401) return { status, sentence: 'signedOut' }
  const why = [`${body.title}.`, ...(body.problems ?? [body.detail])].join(' ')
  return { status, sentence: 'refused', values: { why } }
}

/** @param {HTMLFormElement} form */
function keepSaved(form) {
  const status = form.querySelector('[data-status]')
  const version = form.elements.namedItem('version')
  if (!(version instanceof HTMLInputElement) || status === null) return
  let isDirty = false
  let isStopped = false
  let leaves = false
  /** @type {Promise<void> | undefined} */
  let saving
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer

  /** @param {string} sentence @param {Record<string, string>} values */
  const tell = (sentence, values = {}) => {
    const text = form.dataset[sentence] ?? ''
    status.textContent = text.replace(/\{(\w+)\}/g, (_, key) => values[key] ?? '')
  }
  const save = async () => {
    isDirty = false
    try {
      const told = await send(form, version)
      tell(told.sentence, told.values)
      if (told.status !== 200) isDirty = true
      // Trying again would not help: a person has to look at it.
      isStopped = [409, 410, 412].includes(told.status)
    } catch {
      isDirty = true
      tell('offline')
      later(RETRY_MILLISECONDS)
    }
  }
  const run = () => {
    if (!isDirty || isStopped) return
    if (saving !== undefined) return later(REST_MILLISECONDS)
    saving = save().finally(() => {
      saving = undefined
    })
  }
  /** @param {number} milliseconds */
  function later(milliseconds) {
    clearTimeout(timer)
    timer = setTimeout(() => {
      timer = undefined
      run()
    }, milliseconds)
  }

  form.addEventListener('input', () => {
    isDirty = true
    later(REST_MILLISECONDS)
  })
  window.addEventListener('online', run)
  window.addEventListener('beforeunload', event => {
    if ((isDirty || saving !== undefined) && !leaves) event.preventDefault()
  })
  form.addEventListener('submit', event => {
    clearTimeout(timer)
    leaves = true
    if (saving === undefined) return
    // What is on its way gives the draft its next number, which the form has to name.
    event.preventDefault()
    const { submitter } = event
    saving.finally(() => form.requestSubmit(submitter))
  })
}

const form = document.querySelector('form[data-save]')
if (form instanceof HTMLFormElement) keepSaved(form)
