// Uploads files and whole folders into a record, with progress that everybody can follow, and goes on
// after a reload: what has come is told by the service, and which file is which by fingerprints.
import { filesOfDrop, filesOfInput, fingerprint, worthSending } from './upload-files.js'
import { createList } from './upload-list.js'
import { createQueue } from './upload-queue.js'

/** @typedef {import('./upload-files.js').Chosen} Chosen */
/** @typedef {import('./upload-queue.js').Item} Item */
/** @typedef {import('./upload-queue.js').Known} Known */

/**
 * @template {HTMLElement} T
 * @param {string} id
 * @returns {T}
 */
const at = id => /** @type {T} */ (document.getElementById(id))

const root = at('uploader')
const { case: caseId = '', draft: begun = '', texts: textsJson = '{}', known = '[]' } = root.dataset
/** @type {Record<string, string>} */
const texts = JSON.parse(textsJson)
/** @param {string} name */
const text = (name, values = /** @type {Record<string, string | number>} */ ({})) =>
  (texts[name] ?? '').replace(/\{(\w+)\}/g, (_, key) => String(values[key] ?? ''))

const list = createList(root, text)
/** @type {Map<string, Chosen>} */
const chosen = new Map()
/** @type {ReturnType<typeof createQueue> | undefined} */
let queue
/** @type {Item[]} */
let items = []
let draft = begun

/** @param {Chosen[]} more */
async function add(more) {
  const { files, skipped } = worthSending(more)
  for (const one of files) chosen.set(one.path, one)
  list.say(text('chosen', { count: chosen.size, skipped }))
  const title = /** @type {HTMLInputElement | null} */ (document.getElementById('title'))
  const [first] = files
  if (title !== null && title.value === '' && first?.path.includes('/')) {
    title.value = first.path.split('/')[0] ?? ''
  }
  list.preview([...chosen.values()])
  if (draft !== '' && files.length > 0) await run()
}

/** Makes the draft when there is none yet, and sends everything that has not come. */
async function run() {
  queue?.pause()
  const places = remembered()
  items = await planned([...chosen.values()], places)
  remember(items)
  list.begin(items)
  queue = createQueue(draft, items, {
    changed: list.changed,
    settled: () => void settled(),
    line: isUp => list.say(text(isUp ? 'line-back' : 'line-down')),
    signedOut: () => list.say(text('signed-out'))
  })
  show({ pause: true, resume: false, files: false })
  await queue.resume()
}

/**
 * Gives every file its place: the one it had before, or the next that is free.
 * @param {Chosen[]} files
 * @param {Record<string, number>} places
 * @returns {Promise<Item[]>}
 */
async function planned(files, places) {
  /** @type {Known[]} */
  const arrived = JSON.parse(known)
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
  return plan
}

/** @returns {Record<string, number>} */
function remembered() {
  return JSON.parse(localStorage.getItem(`consilium-upload:${draft}`) ?? '{}')
}

/** @param {Item[]} sending */
function remember(sending) {
  // Beside the places: how many there are to be, so that a part is not taken for the whole later.
  const before = Number(localStorage.getItem(`consilium-files:${draft}`) ?? 0)
  localStorage.setItem(`consilium-files:${draft}`, String(Math.max(before, sending.length)))
}

async function settled() {
  const refused = items.filter(({ state }) => state === 'refused')
  const wanted = Number(localStorage.getItem(`consilium-files:${draft}`) ?? 0)
  const done = new Set(
    /** @type {Known[]} */ (JSON.parse(known))
      .filter(({ state }) => state === 'stored')
      .map(({ position }) => position)
  )
  for (const item of items) if (item.state === 'done') done.add(item.position)
  show({ pause: false, resume: false, files: true })
  if (done.size + refused.length < wanted) {
    list.say(text('some-missing', { done: done.size, count: wanted }))
    return
  }
  if (done.size === 0) {
    list.say(text('none-taken'))
    return
  }
  await complete()
}

async function complete() {
  list.say(text('completing'))
  show({ pause: false, resume: false, files: false })
  for (;;) {
    const answer = await fetch(`/v1/drafts/${draft}/complete`, { method: 'POST' }).catch(
      () => undefined
    )
    const body = await answer?.json().catch(() => ({}))
    if (answer?.ok) {
      localStorage.removeItem(`consilium-upload:${draft}`)
      localStorage.removeItem(`consilium-files:${draft}`)
      finished(body)
      return
    }
    if (answer !== undefined && body.code !== 'draft-completing' && answer.status < 500) {
      list.say(`${body.title}. ${body.detail}`)
      show({ pause: false, resume: false, files: true })
      return
    }
    await new Promise(resolve => setTimeout(resolve, 2000))
  }
}

/** @param {{ id: string, patientMatch: string, refused?: { fileName: string, title: string, detail: string }[] }} record */
function finished(record) {
  const place = `/cases/${caseId}#record-${record.id}`
  if (record.refused === undefined || record.refused.length === 0) {
    location.assign(place)
    return
  }
  // The service names them all, those of before a reload too.
  document.querySelector('#upload-not-taken ul')?.replaceChildren()
  list.refused(record.refused)
  const done = /** @type {HTMLAnchorElement} */ (at('upload-done'))
  done.href = place
  done.hidden = false
  at('upload-give-up').hidden = true
  list.say(text('done-but', { count: record.refused.length }))
  done.focus()
}

/** @param {{ pause: boolean, resume: boolean, files: boolean }} what */
function show({ pause, resume, files }) {
  at('upload-pause').hidden = !pause
  at('upload-resume').hidden = !resume
  at('upload-choose').hidden = !files
  const give = document.getElementById('upload-give-up')
  if (give !== null) give.hidden = draft === ''
  const start = document.getElementById('upload-start')
  if (start !== null) start.hidden = draft !== ''
}

/** @param {SubmitEvent} event */
async function start(event) {
  event.preventDefault()
  if (draft !== '') return
  if (chosen.size === 0) {
    list.say(text('choose-first'))
    return
  }
  const form = new FormData(at('upload-form'))
  const fields = Object.fromEntries(['kind', 'title', 'date'].map(name => [name, form.get(name)]))
  const answer = await fetch(`/v1/cases/${caseId}/drafts`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(fields)
  }).catch(() => undefined)
  const body = await answer?.json().catch(() => ({}))
  if (!answer?.ok) {
    list.say(answer === undefined ? text('line-down') : text('fields-first'))
    return
  }
  draft = body.id
  for (const name of ['kind', 'title', 'date']) {
    const input = /** @type {HTMLInputElement} */ (at(name))
    input.disabled = true
  }
  history.replaceState(null, '', `/cases/${caseId}/upload/${draft}`)
  const giveUp = /** @type {HTMLFormElement | null} */ (document.getElementById('upload-give-up'))
  if (giveUp !== null) giveUp.action = `/cases/${caseId}/upload/${draft}/discard`
  await run()
}

function listen() {
  const files = /** @type {HTMLInputElement} */ (at('file'))
  const folder = /** @type {HTMLInputElement} */ (at('folder'))
  files.addEventListener('change', () => void add(filesOfInput(files.files)))
  folder.addEventListener('change', () => void add(filesOfInput(folder.files)))
  at('choose-folder').addEventListener('click', () => folder.click())
  const zone = at('upload-choose')
  zone.addEventListener('dragover', event => {
    event.preventDefault()
    zone.classList.add('app-drop--over')
  })
  zone.addEventListener('dragleave', () => zone.classList.remove('app-drop--over'))
  zone.addEventListener('drop', event => {
    event.preventDefault()
    zone.classList.remove('app-drop--over')
    if (event.dataTransfer !== null) void filesOfDrop(event.dataTransfer).then(add)
  })
  at('upload-pause').addEventListener('click', () => {
    queue?.pause()
    show({ pause: false, resume: true, files: false })
    list.say(text('paused'))
    at('upload-resume').focus()
  })
  at('upload-resume').addEventListener('click', () => {
    show({ pause: true, resume: false, files: false })
    list.say(text('resumed'))
    at('upload-pause').focus()
    void queue?.resume()
  })
  document.getElementById('upload-form')?.addEventListener('submit', event => void start(event))
}

/** @param {string} selector */
const all = selector => /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll(selector))

root.hidden = false
for (const element of all('[data-with-scripts]')) element.hidden = false
for (const element of all('[data-without-scripts]')) element.hidden = true
listen()
