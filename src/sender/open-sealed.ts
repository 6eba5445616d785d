import { open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Decrypter } from 'age-encryption'
import { keepAs } from './download.ts'
import type { Fetched } from './fetch.ts'
import { extensionOfName, type Placed } from './place-files.ts'
import { counted, openedFile, Unopened } from './seal.ts'
import { LIST_BYTES_MAX, readSealedList } from './sealed-list.ts'

/** What a sealed file is, by the id of its record and the name it is carried under. */
export type SealedNames = Map<string, { name: string; extension: string; sha256: string }>

/** Reads the list of a sealed record. One that cannot be read tells nothing, and no more. */
export async function readList(
  decrypter: Decrypter,
  path: string,
  record: string,
  names: SealedNames
): Promise<void> {
  const pieces: Uint8Array[] = []
  let bytes = 0
  try {
    for await (const piece of openedFile(decrypter, path)) {
      bytes += piece.byteLength
      if (bytes > LIST_BYTES_MAX) return
      pieces.push(piece)
    }
  } catch (err) {
    if (err instanceof Unopened) return
    throw err
  }
  const list = readSealedList(Buffer.concat(pieces).toString('utf8'))
  for (const { carried, name, sha256 } of list?.files ?? []) {
    names.set(`${record} ${carried}`, { name, extension: extensionOfName(name), sha256 })
  }
}

/**
 * Opens a sealed file beside itself and removes the sealed one. It has its name only once all of it
 * is authenticated and, where its list tells, of the digest that its sender read.
 */
export async function openSealed(
  decrypter: Decrypter,
  directory: string,
  { folder, stem, object }: Placed,
  known: { name: string; extension: string; sha256: string } | undefined
): Promise<Partial<Fetched>> {
  const sealed = join(directory, folder, `${stem}.age`)
  const { name, extension } = known ?? {
    name: object.fileName.replace(/\.age$/i, ''),
    extension: extensionOfName(object.fileName.replace(/\.age$/i, ''))
  }
  const path = `${folder}/${stem}${extension}`
  const unfinished = join(directory, `${path}.part`)
  const refused = (code: string, why: string) => ({ outcome: 'refused', code, why }) as const
  let sha256: string
  try {
    sha256 = await writeOpened(decrypter, sealed, unfinished)
  } catch (err) {
    await rm(unfinished, { force: true })
    if (!(err instanceof Unopened)) throw err
    return refused('not-opened', err.message)
  }
  if (known !== undefined && known.sha256 !== sha256) {
    await rm(unfinished, { force: true })
    return refused('not-as-announced', 'what was in it is not what its sender lists')
  }
  if (!(await keepAs(unfinished, join(directory, path), sha256))) {
    await rm(unfinished, { force: true })
    return refused('name-taken', `another file is called ${path}: move it away`)
  }
  await rm(sealed, { force: true })
  return { path, fileName: name, openedSha256: sha256 }
}

async function writeOpened(decrypter: Decrypter, sealed: string, target: string): Promise<string> {
  await rm(target, { force: true })
  const file = await open(target, 'wx', 0o600)
  const count = counted()
  try {
    for await (const piece of openedFile(decrypter, sealed)) {
      count.take(piece)
      await file.appendFile(piece)
    }
    await file.sync()
  } finally {
    await file.close()
  }
  return count.end().sha256
}
