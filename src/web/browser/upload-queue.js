// Sends files into a draft, some at a time, from where each stands; waits when the line is down.

/** @typedef {import('./upload-files.js').Chosen} Chosen */
/** @typedef {{ id: string, position: number, fileName: string, bytes: number, offset: number, state: string }} Known */
/**
 * @typedef {object} Item
 * @property {Chosen} chosen
 * @property {number} position Its place in the record, from 1.
 * @property {string | undefined} upload
 * @property {number} sent
 * @property {'waiting' | 'sending' | 'done' | 'refused'} state
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
 * @param {string} draft
 * @param {Item[]} items
 * @param {{ changed(item: Item): void, settled(): void, line(isUp: boolean): void, signedOut(): void }} tell
 */
export function createQueue(draft, items, tell) {
  /** @type {Map<Item, { abort(): Promise<void> }>} */
  const running = new Map()
  let isPaused = true
  let isLineUp = true
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer

  function fill() {
    if (isPaused || !isLineUp) return
    for (const item of items) {
      if (running.size >= AT_ONCE_MAX) return
      if (item.state === 'waiting') send(item)
    }
    if (running.size === 0) tell.settled()
  }

  /** @param {Item} item */
  function send(item) {
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
      onSuccess: () => end(item, 'done'),
      onError: err => failed(item, /** @type {import('tus-js-client').DetailedError} */ (err))
    })
    running.set(item, { abort: () => upload.abort() })
    tell.changed(item)
    upload.start()
  }

  /**
   * @param {Item} item
   * @param {Item['state']} state
   */
  function end(item, state) {
    running.delete(item)
    item.state = state
    if (state === 'done') item.sent = item.chosen.file.size
    tell.changed(item)
    fill()
  }

  /**
   * @param {Item} item
   * @param {import('tus-js-client').DetailedError} err
   */
  function failed(item, err) {
    const status = err.originalResponse?.getStatus() ?? 0
    item.tries += 1
    if (status === 401) {
      pause()
      tell.signedOut()
      return
    }
    const isPassing = status === 0 || status >= 500 || [404, 409, 423, 429].includes(status)
    if (isPassing && item.tries < TRIES_MAX) {
      running.delete(item)
      item.state = 'waiting'
      tell.changed(item)
      wait(status === 0)
      return
    }
    const { title = '', detail = '' } = problemIn(err.originalResponse?.getBody())
    item.problem = `${title}. ${detail}`
    end(item, 'refused')
  }

  /** @param {boolean} isLine Whether the line is down, not only the service busy. */
  function wait(isLine) {
    isLineUp = false
    if (isLine) tell.line(false)
    clearTimeout(timer)
    timer = setTimeout(lookAgain, RETRY_MILLISECONDS)
  }

  /** Asks the draft where each file stands: an answer may have been lost on the way. */
  async function lookAgain() {
    try {
      const answer = await fetch(`/v1/drafts/${draft}`)
      if (answer.status === 401) {
        isPaused = true
        tell.signedOut()
        return
      }
      if (!answer.ok) throw new Error('not now')
      take((await answer.json()).uploads)
      isLineUp = true
      tell.line(true)
      fill()
    } catch {
      timer = setTimeout(lookAgain, RETRY_MILLISECONDS)
    }
  }

  /** @param {Known[]} known */
  function take(known) {
    const byPlace = new Map(known.map(upload => [upload.position, upload]))
    for (const item of items) {
      if (item.state !== 'waiting') continue
      const upload = byPlace.get(item.position)
      if (upload === undefined || upload.bytes !== item.chosen.file.size) {
        item.upload = undefined
        continue
      }
      item.upload = upload.id
      item.sent = upload.offset
      if (upload.state === 'stored') item.state = 'done'
      tell.changed(item)
    }
  }

  function pause() {
    isPaused = true
    clearTimeout(timer)
    for (const [item, upload] of running) {
      void upload.abort()
      item.state = 'waiting'
      tell.changed(item)
    }
    running.clear()
  }

  window.addEventListener('online', () => {
    if (isPaused || isLineUp) return
    clearTimeout(timer)
    void lookAgain()
  })
  window.addEventListener('offline', () => tell.line(false))

  return {
    pause,
    /** Begins, or goes on where each file stands. */
    async resume() {
      isPaused = false
      isLineUp = false
      await lookAgain()
    },
    isPaused: () => isPaused
  }
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
