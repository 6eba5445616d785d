// Shows how far an upload has come: all of it, each folder and each file, and says it now and then.

/** @typedef {import('./upload-files.js').Chosen} Chosen */
/** @typedef {import('./upload-queue.js').Item} Item */
/** @typedef {(name: string, values?: Record<string, string | number>) => string} Text */

const RATE_MILLISECONDS = 1000
const SAY_MILLISECONDS = 10_000
/** How much the last second counts in the rate that is shown. */
const RATE_WEIGHT = 0.3

const percent = new Intl.NumberFormat('en-GB', { style: 'percent', maximumFractionDigits: 0 })

const MINUTES_MAX = 120

/** @param {number} minutes */
function timeText(minutes) {
  const [value, unit] =
    minutes > MINUTES_MAX ? [Math.ceil(minutes / 60), 'hour'] : [Math.ceil(minutes), 'minute']
  return new Intl.NumberFormat('en-GB', { style: 'unit', unit, unitDisplay: 'long' }).format(value)
}

/** @param {number} bytes */
function sizeText(bytes) {
  const power = bytes < 1000 ? 0 : Math.min(Math.floor(Math.log10(bytes) / 3), 4)
  const unit = ['B', 'kB', 'MB', 'GB', 'TB'][power]
  return `${(bytes / 1000 ** power).toFixed(power === 0 ? 0 : 1)} ${unit}`
}

/** @param {string} path */
const folderOf = path => path.split('/').slice(0, -1).join('/')

/** @typedef {{ title: HTMLElement, name: string, items: Item[] }} Group */
/** @typedef {{ bar: HTMLProgressElement, status: HTMLElement, group: Group }} Row */

/**
 * @template {keyof HTMLElementTagNameMap} Name
 * @param {Name} name
 * @param {string} [content]
 */
function element(name, content = '') {
  const made = document.createElement(name)
  made.textContent = content
  return made
}

/**
 * A folder with its files, in the page and in `rows`.
 * @param {HTMLElement} into
 * @param {Map<Item, Row>} rows
 * @param {string} name
 * @param {Item[]} items
 * @param {Text} text
 */
function drawGroup(into, rows, name, items, text) {
  const details = element('details')
  details.open = items.length <= 10
  const title = element('summary')
  const lines = element('ul')
  /** @type {Group} */
  const group = { title, name: name || text('no-folder'), items }
  for (const item of items) {
    const { file } = item.chosen
    const line = element('li')
    const bar = element('progress')
    bar.max = file.size
    bar.setAttribute('aria-label', file.name)
    const status = element('span')
    line.append(element('span', `${file.name} (${sizeText(file.size)}) `), bar, ' ', status)
    lines.append(line)
    rows.set(item, { bar, status, group })
  }
  details.append(title, lines)
  into.append(details)
  titleOf(group, text)
}

/**
 * @param {Group} group
 * @param {Text} text
 */
function titleOf({ title, name, items }, text) {
  const done = items.filter(({ state }) => state === 'done').length
  title.textContent = text('group', { name, done, count: items.length })
}

/**
 * @param {Row} row
 * @param {Item} item
 * @param {Text} text
 */
function drawRow({ bar, status }, item, text) {
  bar.value = item.sent
  if (item.state === 'sending') {
    status.textContent = percent.format(item.sent / item.chosen.file.size)
  } else {
    status.textContent = `${text(item.state)} ${item.problem}`
  }
}

/** @param {{ fileName: string, title: string, detail: string }[]} files Those that were not taken. */
function drawRefused(files) {
  const place = /** @type {HTMLElement} */ (document.getElementById('upload-not-taken'))
  place.hidden = false
  const lines = /** @type {HTMLElement} */ (place.querySelector('ul'))
  for (const { fileName, title, detail } of files) {
    const line = `${fileName}: ${title}${detail && `. ${detail}`}`
    if (![...lines.children].some(child => child.textContent === line)) {
      lines.append(element('li', line))
    }
  }
}

/**
 * @param {HTMLElement} root
 * @param {Text} text
 */
export function createList(root, text) {
  const live = /** @type {HTMLElement} */ (document.getElementById('upload-said'))
  const total = /** @type {HTMLElement} */ (document.getElementById('upload-total'))
  const groups = /** @type {HTMLElement} */ (document.getElementById('upload-groups'))
  /** @type {Map<Item, Row>} */
  const rows = new Map()
  /** @type {Item[]} */
  let items = []
  let last = { at: 0, sent: 0, rate: 0, said: 0 }
  /** @type {ReturnType<typeof setInterval> | undefined} */
  let timer

  /** @param {string} sentence */
  function say(sentence) {
    live.textContent = sentence
    last.said = performance.now()
  }

  /** @param {Item} item */
  function changed(item) {
    const row = rows.get(item)
    if (row === undefined) return
    drawRow(row, item, text)
    titleOf(row.group, text)
    // Of what was refused before a reload the page tells by itself.
    if (item.state === 'refused' && item.problem !== '')
      drawRefused([{ fileName: item.chosen.path, title: item.problem, detail: '' }])
  }

  /** Rate and time left, once a second; aloud every ten. */
  function tick() {
    const now = performance.now()
    const bytes = items.reduce((sum, { chosen }) => sum + chosen.file.size, 0)
    const sent = items.reduce((sum, item) => sum + item.sent, 0)
    const done = items.filter(({ state }) => state === 'done').length
    const fresh = ((sent - last.sent) * 1000) / Math.max(now - last.at, 1)
    const isMoving = items.some(({ state }) => state === 'sending') && sent < bytes
    const weighed = last.rate === 0 ? fresh : last.rate + RATE_WEIGHT * (fresh - last.rate)
    // A rate of before a pause would promise an end that is not coming.
    const rate = isMoving ? weighed : 0
    const sentence = text(rate > 1 ? 'total-moving' : 'total', {
      done,
      count: items.length,
      percent: percent.format(bytes === 0 ? 0 : sent / bytes),
      rate: sizeText(Math.max(rate, 0)),
      left: timeText((bytes - sent) / Math.max(rate, 1) / 60)
    })
    total.textContent = sentence
    last = { ...last, at: now, sent, rate }
    if (isMoving && now - last.said > SAY_MILLISECONDS) say(sentence)
    if (items.every(({ state }) => ['done', 'refused', 'gone'].includes(state)))
      clearInterval(timer)
  }

  return {
    say,
    changed,
    refused: drawRefused,
    /** @param {Chosen[]} chosen @returns What would be sent, in words. */
    preview(chosen) {
      const bytes = chosen.reduce((sum, { file }) => sum + file.size, 0)
      const folders = new Set(chosen.map(({ path }) => folderOf(path))).size
      return text('preview', { count: chosen.length, folders, size: sizeText(bytes) })
    },
    /** @param {Item[]} sending */
    begin(sending) {
      items = sending
      rows.clear()
      groups.replaceChildren()
      for (const [name, inGroup] of Map.groupBy(items, ({ chosen }) => folderOf(chosen.path))) {
        drawGroup(groups, rows, name, inGroup, text)
      }
      root.dataset['running'] = 'yes'
      last = { at: performance.now(), sent: 0, rate: 0, said: performance.now() }
      clearInterval(timer)
      timer = setInterval(tick, RATE_MILLISECONDS)
      tick()
    }
  }
}
