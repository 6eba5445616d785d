import { createHash } from 'node:crypto'
import { open, rm } from 'node:fs/promises'
import { ConfigError } from '../src/config.ts'
import { readKeyring } from '../src/config-keyring.ts'
import { checkedKeyring, openKeyring } from '../src/open-keyring.ts'
import { openKeyringFile } from '../src/sealing/keyrings/file.ts'
import { objectContext, recordKeyContext, unwrapKey } from '../src/sealing/keys.ts'
import {
  HEADER_BYTES,
  PLAIN_READ_BYTES,
  SEALED_CHUNK_BYTES,
  SEALED_READ_BYTES
} from '../src/sealing/layout.ts'
import { openHeader } from '../src/sealing/stream.ts'
import { runCommand } from './command.ts'

const usage = `Opens one sealed object without the service or its database, for disaster recovery.

  npm run open-object -- --blob FILE [--keyring FILE] --wrapped-key HEX \\
    --organisation ID --record ID --object ID --out FILE

  --blob          the sealed object, objects/blobs/<two letters>/<name>
  --keyring       the key ring, keys/keyring.json. Without it, the key service of CONSILIUM_KEYRING
                  and its settings is asked to unwrap: a key in KMS or transit never leaves it, so
                  that needs the service, the network and the permission to decrypt
  --wrapped-key   records.wrapped_key of the record, in hex
  --organisation  cases.organisation_id of its case
  --record        records.id
  --object        objects.id
  --out           where the file goes; it must not exist

docs/sealed-object.md says where these come from. The digest of the file is printed.`

const required = ['blob', 'wrapped-key', 'organisation', 'record', 'object', 'out']

await runCommand(usage, { required, optional: ['keyring'] }, async values => {
  const { blob = '', organisation = '', record = '', object = '', out = '' } = values
  const wrapped = Buffer.from(values['wrapped-key'] ?? '', 'hex')
  const recordKey = await openRecordKey(
    values.keyring,
    recordKeyContext(organisation, record),
    wrapped
  )
  const source = await open(blob, 'r')
  const { size } = await source.stat()
  const header = Buffer.alloc(HEADER_BYTES)
  await source.read(header, 0, HEADER_BYTES, 0)
  const context = objectContext(organisation, record, object)
  const opener = openHeader({ inputKey: recordKey, context, header, blobLength: size })

  const target = await open(out, 'wx', 0o600)
  const hash = createHash('sha256')
  const sealed = Buffer.alloc(SEALED_READ_BYTES)
  const plain = Buffer.alloc(PLAIN_READ_BYTES)
  try {
    for (let position = HEADER_BYTES; position < size; ) {
      const { bytesRead } = await source.read(sealed, 0, sealed.length, position)
      const chunk = (position - HEADER_BYTES) / SEALED_CHUNK_BYTES
      const opened = opener.openChunks(sealed.subarray(0, bytesRead), chunk, plain)
      hash.update(plain.subarray(0, opened))
      await target.writeFile(plain.subarray(0, opened))
      position += bytesRead
    }
    await target.sync()
  } catch (err) {
    // The part before the damage could be taken for the whole.
    await rm(out, { force: true })
    throw err
  } finally {
    await target.close()
    await source.close()
  }
  console.log(`${hash.digest('hex')}  ${out}`)
})

/** By the key ring file, or by the key service that the environment names. */
async function openRecordKey(file: string | undefined, context: Buffer, wrapped: Buffer) {
  if (file !== undefined) return await unwrapKey(await openKeyringFile(file), context, wrapped)
  const problems: string[] = []
  const settings = readKeyring(process.env, problems)
  if (settings.kinds.includes('file')) problems.push('Name the key ring file: --keyring.')
  if (problems.length > 0) throw new ConfigError(problems)
  return await checkedKeyring(settings, async () => {
    const keyring = await openKeyring(settings, '')
    return await unwrapKey(keyring, context, wrapped).finally(() => keyring.close())
  })
}
