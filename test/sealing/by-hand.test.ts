import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { createKeyringFile, openKeyringFile } from '../../src/sealing/keyrings/file.ts'
import { newKey, objectContext, recordKeyContext, wrapKey } from '../../src/sealing/keys.ts'
import { sealWhole } from './whole.ts'

// The script in docs/sealed-object.md shares no code with ours: what it opens is in the format the
// page describes.

t.test('the script in the documentation opens an object, and only in its own place', async t => {
  const directory = t.testdir()
  const script = join(directory, 'open-sealed.mjs')
  const page = readFileSync(new URL('../../docs/sealed-object.md', import.meta.url), 'utf8')
  writeFileSync(script, page.split('```js\n')[1]?.split('```')[0] ?? '')

  const keyring = join(directory, 'keyring.json')
  await createKeyringFile(keyring)
  const key = newKey()
  const context = recordKeyContext('hôpital', 'rec-1')
  const wrapped = await wrapKey(await openKeyringFile(keyring), context, key)

  for (const length of [0, 5, 16_384, 300 * 16_384 + 1]) {
    const plain = randomBytes(length)
    const blob = join(directory, `blob-${length}`)
    const sealing = { inputKey: key, context: objectContext('hôpital', 'rec-1', 'obj-1') }
    writeFileSync(blob, sealWhole(sealing, plain))
    const open = (organisation: string, record: string, object: string) =>
      spawnSync(
        process.execPath,
        [script, keyring, wrapped.toString('hex'), organisation, record, object, blob],
        { maxBuffer: 2 ** 24 }
      )
    const opened = open('hôpital', 'rec-1', 'obj-1')
    t.equal(opened.status, 0, opened.stderr.toString())
    t.ok(opened.stdout.equals(plain))
    t.match(open('hôpital', 'rec-1', 'obj-2'), { status: 1, stdout: Buffer.alloc(0) })
    t.match(open('hôpital', 'rec-2', 'obj-1'), { status: 1, stdout: Buffer.alloc(0) })
  }
})
