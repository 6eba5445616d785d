/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
// Which files somebody has chosen, whole folders among them, and what they are called where names must not be.

/**
 * @typedef {object} Chosen
 * @property {File} file
 * @property {string} path Where it is in what was chosen, with "/" between folders.
 */

/** @typedef {{ files: Chosen[], unreadable: number }} Found */

/** What systems, viewers and discs leave in a folder beside its files. */
const JUNK = /^(\..*|dicomdir|thumbs\.db|desktop\.ini|autorun\.inf|lockfile|__macosx)$/i

/**
 * The files of a chooser, for files or for a folder.
 * @param {FileList | null} files
 * @returns {Chosen[]}
 */
export function filesOfInput(files) {
  return [...(files ?? [])].map(file => ({ file, path: file.webkitRelativePath || file.name }))
}

/**
 * The files of what was dropped, with all folders in it. What was dropped must be asked for at once:
 * browsers forget it when the event is over.
 * What cannot be read is counted, so that nobody takes a part for the whole.
 * @param {DataTransfer} dropped
 * @returns {Promise<Found>}
 */
export async function filesOfDrop(dropped) {
  const entries = [...dropped.items].flatMap(item => item.webkitGetAsEntry() ?? [])
  /** @type {Found} */
  const found = { files: [], unreadable: 0 }
  for (const entry of entries) await look(entry, found)
  return found
}

/** @param {FileSystemEntry} entry @param {Found} found */
async function look(entry, found) {
  try {
    await walk(entry, found)
  } catch {
    found.unreadable += 1
  }
}

/** @param {FileSystemEntry} entry @param {Found} found */
async function walk(entry, found) {
  if (entry.isFile) {
    const from = /** @type {FileSystemFileEntry} */ (entry)
    /** @type {File} */
    const file = await new Promise((resolve, reject) => from.file(resolve, reject))
    found.files.push({ file, path: entry.fullPath.replace(/^\//, '') })
    return
  }
  const reader = /** @type {FileSystemDirectoryEntry} */ (entry).createReader()
  for (;;) {
    // It tells some at a time, and none when it has told all.
    /** @type {FileSystemEntry[]} */
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject))
    if (some.length === 0) return
    for (const inside of some) await look(inside, found)
  }
}

/**
 * Those worth sending, in the order of their names, and how many are passed over.
 * @param {Chosen[]} chosen
 * @returns {{ files: Chosen[], skipped: number }}
 */
export function worthSending(chosen) {
  const files = chosen.filter(
    ({ file, path }) => file.size > 0 && !path.split('/').some(part => JUNK.test(part))
  )
  files.sort((a, b) => (a.path < b.path ? -1 : 1))
  return { files, skipped: chosen.length - files.length }
}

/**
 * What this browser remembers of a file: it tells nothing of its name to whoever looks later.
 * @param {string} draft
 * @param {Chosen} chosen
 * @returns {Promise<string>}
 */
export const fingerprint = (draft, { file, path }) =>
  digestOf([draft, path, file.size, file.lastModified])

/**
 * The first half of the SHA-256 of some values, in hex.
 * @param {(string | number)[]} values
 * @returns {Promise<string>}
 */
export async function digestOf(values) {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(values.join('\n')))
  return [...new Uint8Array(digest).slice(0, 16)]
    .map(byte => byte.toString(16).padStart(2, '0'))
    .join('')
}
