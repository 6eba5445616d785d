// Uploads files and whole folders into a record, with progress that everybody can follow, and goes on
// after a reload: what has come is told by the service, and which file is which by fingerprints.
import { begin, forget, takeTurn } from './upload-begin.js'
import { filesOfDrop, filesOfInput, worthSending } from './upload-files.js'
import { createList } from './upload-list.js'
import { giveUp, planned, wantedOf } from './upload-places.js'
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
const { case: caseId = '', draft: begun = '', attempt = '' } = root.dataset
const { texts: textsJson = '{}', known = '[]' } = root.dataset
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
/** Uploads of files that cannot be read any more: while there is one, no record is made. */
const given = /** @type {Set<string>} */ (new Set())
let draft = begun
let isStarting = false
let isRunning = false
/** What "Resume" does; it changes with where the upload stands. */
let goOn = () => {}

/** @param {Chosen[]} more @param {number} [unreadable] Those that could not even be looked at. */
async function add(more, unreadable = 0) {
  const { files, skipped } = worthSending(more)
  for (const one of files) chosen.set(one.path, one)
  const told = [list.preview([...chosen.values()])]
  if (skipped > 0) told.push(text('skipped', { count: skipped }))
  if (unreadable > 0) told.push(text('unreadable', { count: unreadable }))
  list.say(told.join(' '))
  const title = /** @type {HTMLInputElement | null} */ (document.getElementById('title'))
  const [first] = files
  if (title !== null && title.value === '' && first?.path.includes('/')) {
    title.value = first.path.split('/')[0] ?? ''
  }
  if (draft !== '' && files.length > 0) await run()
}

/** Sends everything that has not come. */
async function run() {
  queue?.pause()
  goOn = () => void run()
  if (!isRunning && !(await takeTurn(draft))) return stopped(text('elsewhere'))
  isRunning = true
  items = await planned(draft, [...chosen.values()], JSON.parse(known))
  list.begin(items)
  const sending = createQueue(draft, items, {
    changed: list.changed,
    settled: () => void settled(),
    line: isUp => list.say(text(isUp ? 'line-back' : 'line-down')),
    signedOut: () => signedOut(),
    refused: stopped
  })
  queue = sending
  goOn = () => void sending.resume()
  show({ pause: true, resume: false, files: false })
  await queue.resume()
}

/**
 * It waits for a person, who is told why, and presses "Resume" then.
 * @param {string} why
 */
function stopped(why) {
  show({ pause: false, resume: true, files: false })
  list.say(why)
}

function signedOut() {
  stopped(text('signed-out'))
  at('upload-sign-in').hidden = false
}

/** What has gone is to be chosen again, under whatever path that then has. */
async function endGone() {
  for (const { state, upload, position, chosen: one } of items) {
    if (state !== 'gone') continue
    chosen.delete(one.path)
    giveUp(draft, position)
    if (upload !== undefined) given.add(upload)
  }
  for (const upload of given) {
    const answer = await fetch(`/v1/uploads/${upload}`, {
      method: 'DELETE',
      headers: { 'tus-resumable': '1.0.0' }
    }).catch(() => undefined)
    if (answer?.ok || answer?.status === 404) given.delete(upload)
  }
}

async function settled() {
  await endGone()
  const refused = items.filter(({ state }) => state === 'refused')
  const wanted = wantedOf(draft)
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
      forget(draft)
      finished(body)
      return
    }
    if (answer?.status === 401) {
      goOn = () => void complete()
      return signedOut()
    }
    // It is being completed, or the last file of it is still being read.
    const isSoon = ['draft-completing', 'upload-locked'].includes(body?.code)
    if (answer !== undefined && !isSoon && answer.status < 500) {
      list.say(`${body.title}. ${body.detail}`)
      show({ pause: false, resume: false, files: true })
      return
    }
    await new Promise(resolve => setTimeout(resolve, 2000))
  }
}

/** @param {{ id: string, patientMatch: string, refused?: { position: number, fileName: string, title: string, detail: string }[] }} record */
function finished(record) {
  const place = `/cases/${caseId}#record-${record.id}`
  const { refused = [] } = record
  // The service does not know of those that it never let begin.
  for (const { state, position, problem, chosen: one } of items) {
    if (state !== 'refused' || refused.some(other => other.position === position)) continue
    refused.push({ position, fileName: one.path, title: problem, detail: '' })
  }
  if (refused.length === 0) {
    location.assign(place)
    return
  }
  // Those of before a reload too.
  document.querySelector('#upload-not-taken ul')?.replaceChildren()
  list.refused(refused)
  const done = /** @type {HTMLAnchorElement} */ (at('upload-done'))
  done.href = place
  done.hidden = false
  at('upload-give-up').hidden = true
  list.say(text('done-but', { count: refused.length }))
  done.focus()
}

/** @param {{ pause: boolean, resume: boolean, files: boolean }} what */
function show({ pause, resume, files }) {
  at('upload-pause').hidden = !pause
  at('upload-resume').hidden = !resume
  at('upload-choose').hidden = !files
  const give = document.getElementById('upload-give-up')
  if (give !== null) give.hidden = draft === ''
  const finish = document.getElementById('upload-finish')
  if (finish !== null) finish.hidden = draft === '' || !files
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
  if (isStarting) return
  isStarting = true
  const form = new FormData(at('upload-form'))
  /** @param {string} name */
  const field = name => String(form.get(name) ?? '')
  const fields = { kind: field('kind'), title: field('title'), date: field('date') }
  const answer = await begin(caseId, attempt, fields, [...chosen.values()])
  isStarting = false
  if (!('draft' in answer)) return list.say(whyNotBegun(answer))
  draft = answer.draft
  for (const name of ['kind', 'title', 'date']) {
    const input = /** @type {HTMLInputElement} */ (at(name))
    input.disabled = true
  }
  history.replaceState(null, '', `/cases/${caseId}/upload/${draft}`)
  for (const [id, act] of Object.entries({ 'give-up': 'discard', finish: 'complete' })) {
    const form = /** @type {HTMLFormElement | null} */ (document.getElementById(`upload-${id}`))
    if (form !== null) form.action = `/cases/${caseId}/upload/${draft}/${act}`
  }
  await run()
}

/** @param {{ status: number, title: string, detail: string }} answer */
function whyNotBegun({ status, title, detail }) {
  if (status === 0) return text('no-line')
  if (status === 401) {
    at('upload-sign-in').hidden = false
    return text('signed-out-start')
  }
  return status === 400 ? text('fields-first') : `${title}. ${detail}`
}

/** Files are taken wherever they are dropped: beside the box, browsers would leave the page for them. */
function listenToDrops() {
  const zone = at('upload-choose')
  /** @param {DragEvent} event */
  const isFiles = event => event.dataTransfer?.types.includes('Files') === true
  document.addEventListener('dragover', event => {
    if (!isFiles(event)) return
    event.preventDefault()
    zone.classList.add('app-drop--over')
  })
  document.addEventListener('dragleave', event => {
    if (event.relatedTarget === null) zone.classList.remove('app-drop--over')
  })
  document.addEventListener('drop', event => {
    if (!isFiles(event)) return
    event.preventDefault()
    zone.classList.remove('app-drop--over')
    if (event.dataTransfer === null || zone.hidden) return
    list.say(text('reading'))
    void filesOfDrop(event.dataTransfer).then(({ files, unreadable }) => add(files, unreadable))
  })
}

function listen() {
  const files = /** @type {HTMLInputElement} */ (at('file'))
  const folder = /** @type {HTMLInputElement} */ (at('folder'))
  files.addEventListener('change', () => void add(filesOfInput(files.files)))
  folder.addEventListener('change', () => void add(filesOfInput(folder.files)))
  at('choose-folder').addEventListener('click', () => folder.click())
  listenToDrops()
  at('upload-pause').addEventListener('click', () => {
    queue?.pause()
    show({ pause: false, resume: true, files: false })
    list.say(text('paused'))
    at('upload-resume').focus()
  })
  at('upload-resume').addEventListener('click', () => {
    show({ pause: true, resume: false, files: false })
    at('upload-sign-in').hidden = true
    list.say(text('resumed'))
    at('upload-pause').focus()
    goOn()
  })
  window.addEventListener('beforeunload', event => {
    if (!at('upload-pause').hidden) event.preventDefault()
  })
  at('upload-give-up').addEventListener('submit', () => {
    at('upload-pause').hidden = true
    forget(draft)
  })
  document.getElementById('upload-form')?.addEventListener('submit', event => void start(event))
}

/** @param {string} selector */
const all = selector => /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll(selector))

root.hidden = false
for (const element of all('[data-with-scripts]')) element.hidden = false
for (const element of all('[data-without-scripts]')) element.hidden = true
listen()
