import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { Blobs } from '../../src/blobs/blobs.ts'
import { newBlobName } from '../../src/blobs/blobs.ts'
import { openDiskBlobs } from '../../src/blobs/disk.ts'

/** One empty store under test. */
export interface StoreUnderTest {
  kind: string
  /** Opens it. Each call stands for a process of its own on the same storage. */
  open(): Promise<Blobs>
  /** Puts a file beside the blobs that no `create()` made. */
  addForeignFile(): Promise<void>
}

const kinds: Record<string, (t: Test) => Promise<StoreUnderTest>> = {
  disk: async t => {
    const root = t.testdir()
    return {
      kind: 'disk',
      open: () => openDiskBlobs(root),
      async addForeignFile() {
        const shard = newBlobName().slice(0, 2)
        await writeFile(join(root, 'blobs', shard, `${shard}-notes.txt`), 'not a blob')
        await writeFile(join(root, 'incoming', 'notes.txt'), 'not a blob')
      }
    }
  }
}

/** Runs one test on every kind of store, each time on an empty one of its own. */
export function eachStore(
  title: string,
  story: (t: Test, store: StoreUnderTest) => Promise<void>
): void {
  for (const [kind, make] of Object.entries(kinds)) {
    t.test(`${kind}: ${title}`, async t => story(t, await make(t)))
  }
}
