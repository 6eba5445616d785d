// Sends files into a draft, some at a time, from where each stands; waits when the line is down.

/** @typedef {import('./upload-files.js').Chosen} Chosen */
/** @typedef {{ id: string, position: number, fileName: string, bytes: number, offset: number, state: string }} Known */
/**
 * @typedef {object} Item
 * @property {Chosen} chosen
 * @property {number} position Its place in the record, from 1.
 * @property {string | undefined} upload
 * @property {number} sent
 * @property {'waiting' | 'sending' | 'done' | 'refused' | 'gone'} state
 * @property {string} problem
 * @property {number} tries
 */

const AT_ONCE_MAX = 3
const RETRY_MILLISECONDS = 3000
const TRIES_MAX = 40
/** Smaller files come with the request that begins them. */
const WITH_CREATION_BYTES_MAX = 4 * 1024 * 1024

const tus = /** @type {typeof import('tus-js-client')} */ (
  /** @type {{ tus?: unknown }} */ (/** @type {unknown} */ (globalThis)).tus
)

/**
 * @typedef {object} Queue
 * @property {string} draft
 * @property {Item[]} items
 * @property {{ changed(item: Item): void, settled(): void, line(isUp: boolean): void, signedOut(): void, refused(why: string): void }} tell
 * @property {Map<Item, { abort(): Promise<void> }>} running
 * @property {boolean} isPaused
 * @property {boolean} isLineUp
 * @property {ReturnType<typeof setTimeout> | undefined} timer
 */

/**
 * @param {string} draft
 * @param {Item[]} items
 * @param {Queue['tell']} tell
 */
export function createQueue(draft, items, tell) {
  /** @type {Queue} */
  const queue = {
    draft,
    items,
    tell,
    running: new Map(),
    isPaused: true,
    isLineUp: true,
    timer: undefined
  }
  window.addEventListener('online', () => {
    if (queue.isPaused || queue.isLineUp) return
    clearTimeout(queue.timer)
    void lookAgain(queue)
  })
  window.addEventListener('offline', () => {
    if (!queue.isPaused) tell.line(false)
  })
  return {
    pause: () => pause(queue),
    /** Begins, or goes on where each file stands. */
    async resume() {
      queue.isPaused = false
      queue.isLineUp = false
      await lookAgain(queue)
    }
  }
}

/** @param {Queue} queue */
function fill(queue) {
  const { items, running, tell } = queue
  if (queue.isPaused || !queue.isLineUp) return
  for (const item of items) {
    if (running.size >= AT_ONCE_MAX) return
    if (item.state === 'waiting') send(queue, item)
  }
  if (running.size === 0) tell.settled()
}

/**
 * @param {Queue} queue
 * @param {Item} item
 */
function send(queue, item) {
  const { draft, running, tell } = queue
  const { file } = item.chosen
  item.state = 'sending'
  const upload = new tus.Upload(file, {
    ...(item.upload === undefined
      ? { endpoint: '/v1/uploads' }
      : { endpoint: null, uploadUrl: `/v1/uploads/${item.upload}` }),
    metadata: { draft, position: String(item.position), filename: file.name },
    uploadDataDuringCreation: file.size <= WITH_CREATION_BYTES_MAX,
    storeFingerprintForResuming: false,
    retryDelays: null,
    onUploadUrlAvailable: () => {
      item.upload = upload.url?.split('/').at(-1)
    },
    onProgress: sent => {
      item.sent = sent
      tell.changed(item)
    },
    onSuccess: () => end(queue, item, 'done'),
    onError: err =>
      void failed(queue, item, /** @type {import('tus-js-client').DetailedError} */ (err))
  })
  running.set(item, { abort: () => upload.abort() })
  tell.changed(item)
  upload.start()
}

/**
 * @param {Queue} queue
 * @param {Item} item
 * @param {Item['state']} state
 */
function end(queue, item, state) {
  queue.running.delete(item)
  item.state = state
  if (state === 'done') item.sent = item.chosen.file.size
  queue.tell.changed(item)
  fill(queue)
}

/**
 * @param {Queue} queue
 * @param {Item} item
 * @param {import('tus-js-client').DetailedError} err
 */
async function failed(queue, item, err) {
  const status = err.originalResponse?.getStatus() ?? 0
  if (status === 0) {
    const isThere = await isReadable(item.chosen.file)
    // Paused meanwhile.
    if (!queue.running.has(item)) return
    // However long it is tried, it will look as if the line were down.
    if (!isThere) return end(queue, item, 'gone')
  }
  item.tries += 1
  if (status === 401) {
    pause(queue)
    queue.tell.signedOut()
    return
  }
  const isPassing = status === 0 || status >= 500 || [404, 409, 423, 429].includes(status)
  // A line that is down for hours is no fault of a file.
  if (status === 0 || (isPassing && item.tries < TRIES_MAX)) {
    queue.running.delete(item)
    item.state = 'waiting'
    queue.tell.changed(item)
    wait(queue, status === 0)
    return
  }
  const { title = '', detail = '' } = problemIn(err.originalResponse?.getBody())
  item.problem = `${title}. ${detail}`
  end(queue, item, 'refused')
}

/**
 * Whether it is still what was chosen: browsers read nothing of a file that has changed since, or is gone.
 * @param {File} file
 */
function isReadable(file) {
  return file
    .slice(-1)
    .arrayBuffer()
    .then(
      () => true,
      () => false
    )
}

/**
 * @param {Queue} queue
 * @param {boolean} isLine Whether the line is down, not only the service busy.
 */
function wait(queue, isLine) {
  queue.isLineUp = false
  if (isLine) queue.tell.line(false)
  clearTimeout(queue.timer)
  queue.timer = setTimeout(() => void lookAgain(queue), RETRY_MILLISECONDS)
}

/**
 * Asks the draft where each file stands: an answer may have been lost on the way.
 * @param {Queue} queue
 */
async function lookAgain(queue) {
  try {
    const answer = await fetch(`/v1/drafts/${queue.draft}`)
    if (answer.status === 401) {
      queue.isPaused = true
      queue.tell.signedOut()
      return
    }
    if ([403, 404].includes(answer.status)) {
      // Given up or finished elsewhere, or somebody else is signed in by now: asking again will not help.
      const { title, detail } = await answer.json()
      queue.isPaused = true
      queue.tell.refused(`${title}. ${detail}`)
      return
    }
    if (!answer.ok) throw new Error('not now')
    const { uploads } = /** @type {{ uploads: Known[] }} */ (await answer.json())
    if (queue.isPaused) return
    take(queue, uploads)
    queue.isLineUp = true
    queue.tell.line(true)
    fill(queue)
  } catch {
    if (!queue.isPaused) queue.timer = setTimeout(() => void lookAgain(queue), RETRY_MILLISECONDS)
  }
}

/**
 * @param {Queue} queue
 * @param {Known[]} known
 */
function take({ items, tell }, known) {
  const byPlace = new Map(known.map(upload => [upload.position, upload]))
  for (const item of items) {
    if (item.state !== 'waiting') continue
    const upload = byPlace.get(item.position)
    if (upload === undefined || upload.bytes !== item.chosen.file.size) {
      item.upload = undefined
      item.sent = 0
      continue
    }
    item.upload = upload.id
    item.sent = upload.offset
    if (upload.state === 'stored') item.state = 'done'
    if (upload.state === 'refused') item.state = 'refused'
    tell.changed(item)
  }
}

/** @param {Queue} queue */
function pause(queue) {
  queue.isPaused = true
  clearTimeout(queue.timer)
  for (const [item, upload] of queue.running) {
    void upload.abort()
    item.state = 'waiting'
    if (item.upload === undefined) item.sent = 0
    queue.tell.changed(item)
  }
  queue.running.clear()
}

/**
 * @param {string | undefined} body
 * @returns {{ title?: string, detail?: string }}
 */
function problemIn(body) {
  try {
    return JSON.parse(body ?? '')
  } catch {
    return {}
  }
}
