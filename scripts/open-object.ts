import { createHash } from 'node:crypto'
import { open, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { ConfigError } from '../src/config.ts'
import { readKeyring } from '../src/config-keyring.ts'
import { checkedKeyring, openKeyring } from '../src/open-keyring.ts'
import { type Home, openLayout, type Segment } from '../src/records/layout.ts'
import { openKeyringFile } from '../src/sealing/keyrings/file.ts'
import { objectContext, recordKeyContext, segmentContext, unwrapKey } from '../src/sealing/keys.ts'
import {
  HEADER_BYTES,
  PLAIN_READ_BYTES,
  SEALED_CHUNK_BYTES,
  SEALED_READ_BYTES
} from '../src/sealing/layout.ts'
import { openHeader } from '../src/sealing/stream.ts'
import { runCommand, UsageError } from './command.ts'

const usage = `Opens one sealed object without the service or its database, for disaster recovery.

  npm run open-object -- --blob FILE [--keyring FILE] --wrapped-key HEX \\
    --organisation ID --record ID --object ID --out FILE
  npm run open-object -- --layout FILE --blobs DIR [--keyring FILE] --wrapped-key HEX …

  --blob          the sealed object, objects/blobs/<two letters>/<name>
  --layout        instead, of an object that was sealed in segments (objects.blob is null): a file
                  with objects.layout_sealed in hex
  --blobs         with it: the directory of the blobs, objects/blobs
  --keyring       the key ring, keys/keyring.json. Without it, the key service of CONSILIUM_KEYRING
                  and its settings is asked to unwrap: a key in KMS or transit never leaves it, so
                  that needs the service, the network and the permission to decrypt
  --wrapped-key   records.wrapped_key of the record, in hex
  --organisation  cases.organisation_id of its case
  --record        records.id
  --object        objects.id
  --out           where the file goes; it must not exist

docs/sealed-object.md says where these come from. The digest of the file is printed.`

const required = ['wrapped-key', 'organisation', 'record', 'object', 'out']
const optional = ['blob', 'layout', 'blobs', 'keyring']

/** One sealed blob of the object. */
interface Part {
  path: string
  context: Buffer
  /** Of plaintext; without it the size of the blob decides. */
  bytes?: number
}

await runCommand(usage, { required, optional }, async values => {
  const { organisation = '', record = '', object = '', out = '' } = values
  const isOne = values.blob !== undefined
  if (isOne === (values.layout !== undefined) || isOne === (values.blobs !== undefined)) {
    throw new UsageError('Missing: --blob, or --layout with --blobs')
  }
  const home: Home = { organisationId: organisation, recordId: record }
  const wrapped = Buffer.from(values['wrapped-key'] ?? '', 'hex')
  const recordKey = await openRecordKey(
    values.keyring,
    recordKeyContext(organisation, record),
    wrapped
  )
  const parts: Part[] =
    values.blob === undefined
      ? openLayout(recordKey, home, object, await readHex(values.layout ?? '')).map(
          partIn(home, values.blobs ?? '')
        )
      : [{ path: values.blob, context: objectContext(organisation, record, object) }]

  const target = await open(out, 'wx', 0o600)
  const hash = createHash('sha256')
  try {
    for (const part of parts) {
      for await (const piece of openPart(part, recordKey)) {
        hash.update(piece)
        await target.writeFile(piece)
      }
    }
    await target.sync()
  } catch (err) {
    // The part before the damage could be taken for the whole.
    await rm(out, { force: true })
    throw err
  } finally {
    await target.close()
  }
  console.log(`${hash.digest('hex')}  ${out}`)
})

async function readHex(file: string): Promise<Buffer> {
  return Buffer.from((await readFile(file, 'latin1')).trim(), 'hex')
}

/** Where a segment lies, and what opens it. */
function partIn({ organisationId, recordId }: Home, blobs: string) {
  return (segment: Segment): Part => ({
    path: join(blobs, segment.blob.slice(0, 2), segment.blob),
    context: segmentContext(organisationId, recordId, segment),
    bytes: segment.bytes
  })
}

/** The plaintext of one blob, in pieces whose memory is used again. */
async function* openPart(
  { path, context, bytes }: Part,
  inputKey: Awaited<ReturnType<typeof openRecordKey>>
): AsyncGenerator<Buffer> {
  const source = await open(path, 'r')
  const sealed = Buffer.alloc(SEALED_READ_BYTES)
  const plain = Buffer.alloc(PLAIN_READ_BYTES)
  try {
    const { size } = await source.stat()
    const header = Buffer.alloc(HEADER_BYTES)
    await source.read(header, 0, HEADER_BYTES, 0)
    const length = bytes === undefined ? {} : { plainLength: bytes }
    const opener = openHeader({ inputKey, context, header, blobLength: size, ...length })
    for (let position = HEADER_BYTES; position < size; ) {
      const { bytesRead } = await source.read(sealed, 0, sealed.length, position)
      const chunk = (position - HEADER_BYTES) / SEALED_CHUNK_BYTES
      const opened = opener.openChunks(sealed.subarray(0, bytesRead), chunk, plain)
      yield plain.subarray(0, opened)
      position += bytesRead
    }
  } finally {
    await source.close()
  }
}

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
