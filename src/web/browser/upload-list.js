// Shows how far an upload has come: all of it, each folder and each file, and says it now and then.

/** @typedef {import('./upload-files.js').Chosen} Chosen */
/** @typedef {import('./upload-queue.js').Item} Item */
/** @typedef {(name: string, values?: Record<string, string | number>) => string} Text */

const RATE_MILLISECONDS = 1000
const SAY_MILLISECONDS = 10_000
/** How much the last second counts in the rate that is shown. */
const RATE_WEIGHT = 0.3

const percent = new Intl.NumberFormat('en-GB', { style: 'percent', maximumFractionDigits: 0 })

/** @param {number} bytes */
function sizeText(bytes) {
  const power = bytes < 1000 ? 0 : Math.min(Math.floor(Math.log10(bytes) / 3), 4)
  const unit = ['B', 'kB', 'MB', 'GB', 'TB'][power]
  return `${(bytes / 1000 ** power).toFixed(power === 0 ? 0 : 1)} ${unit}`
}

/** @param {string} path */
const folderOf = path => path.split('/').slice(0, -1).join('/')

/**
 * @param {HTMLElement} root
 * @param {Text} text
 */
export function createList(root, text) {
  const live = /** @type {HTMLElement} */ (document.getElementById('upload-said'))
  const total = /** @type {HTMLElement} */ (document.getElementById('upload-total'))
  const groups = /** @type {HTMLElement} */ (document.getElementById('upload-groups'))
  const notTaken = /** @type {HTMLElement} */ (document.getElementById('upload-not-taken'))
  /** @type {Map<Item, { bar: HTMLProgressElement, status: HTMLElement, group: Group }>} */
  const rows = new Map()
  /** @typedef {{ title: HTMLElement, name: string, items: Item[] }} Group */
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
   * @param {string} name
   * @param {Item[]} inGroup
   */
  function addGroup(name, inGroup) {
    const details = element('details')
    details.open = inGroup.length <= 10
    const title = element('summary')
    const lines = element('ul')
    /** @type {Group} */
    const group = { title, name: name || text('no-folder'), items: inGroup }
    for (const item of inGroup) {
      const line = element('li')
      const bar = element('progress')
      bar.max = item.chosen.file.size
      bar.setAttribute('aria-label', item.chosen.file.name)
      const status = element('span')
      line.append(
        element('span', `${item.chosen.file.name} (${sizeText(item.chosen.file.size)}) `),
        bar,
        ' ',
        status
      )
      lines.append(line)
      rows.set(item, { bar, status, group })
    }
    details.append(title, lines)
    groups.append(details)
    titleOf(group)
  }

  /** @param {Group} group */
  function titleOf({ title, name, items: inGroup }) {
    const done = inGroup.filter(({ state }) => state === 'done').length
    title.textContent = text('group', { name, done, count: inGroup.length })
  }

  /** @param {Item} item */
  function changed(item) {
    const row = rows.get(item)
    if (row === undefined) return
    row.bar.value = item.sent
    row.status.textContent =
      item.state === 'refused'
        ? `${text('refused')} ${item.problem}`
        : item.state === 'sending'
          ? percent.format(item.sent / item.chosen.file.size)
          : text(item.state)
    titleOf(row.group)
    if (item.state === 'refused')
      refused([{ fileName: item.chosen.path, title: item.problem, detail: '' }])
  }

  /** @param {{ fileName: string, title: string, detail: string }[]} files */
  function refused(files) {
    notTaken.hidden = false
    const lines = /** @type {HTMLElement} */ (notTaken.querySelector('ul'))
    for (const { fileName, title, detail } of files) {
      const line = `${fileName}: ${title}${detail && `. ${detail}`}`
      if (![...lines.children].some(child => child.textContent === line)) {
        lines.append(element('li', line))
      }
    }
  }

  /** Rate and time left, once a second; aloud every ten. */
  function tick() {
    const now = performance.now()
    const bytes = items.reduce((sum, { chosen }) => sum + chosen.file.size, 0)
    const sent = items.reduce((sum, item) => sum + item.sent, 0)
    const done = items.filter(({ state }) => state === 'done').length
    const fresh = ((sent - last.sent) * 1000) / Math.max(now - last.at, 1)
    const rate = last.rate === 0 ? fresh : last.rate + RATE_WEIGHT * (fresh - last.rate)
    const minutes = Math.ceil((bytes - sent) / Math.max(rate, 1) / 60)
    const sentence = text(rate > 1 && sent < bytes ? 'total-moving' : 'total', {
      done,
      count: items.length,
      percent: percent.format(bytes === 0 ? 0 : sent / bytes),
      rate: sizeText(Math.max(rate, 0)),
      minutes
    })
    total.textContent = sentence
    last = { ...last, at: now, sent, rate }
    if (sent < bytes && now - last.said > SAY_MILLISECONDS) say(sentence)
    if (items.every(({ state }) => state === 'done' || state === 'refused')) clearInterval(timer)
  }

  return {
    say,
    changed,
    refused,
    /** @param {Chosen[]} chosen What would be sent. */
    preview(chosen) {
      const bytes = chosen.reduce((sum, { file }) => sum + file.size, 0)
      const folders = new Set(chosen.map(({ path }) => folderOf(path))).size
      total.textContent = text('preview', { count: chosen.length, folders, size: sizeText(bytes) })
    },
    /** @param {Item[]} sending */
    begin(sending) {
      items = sending
      rows.clear()
      groups.replaceChildren()
      for (const [name, inGroup] of Map.groupBy(items, ({ chosen }) => folderOf(chosen.path))) {
        addGroup(name, inGroup)
      }
      root.dataset['running'] = 'yes'
      last = { at: performance.now(), sent: 0, rate: 0, said: performance.now() }
      clearInterval(timer)
      timer = setInterval(tick, RATE_MILLISECONDS)
      tick()
    }
  }
}
