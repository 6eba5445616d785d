import { BackupError } from './backup-error.ts'

// The archive form: POSIX tar (IEEE Std 1003.1, pax, "ustar Interchange Format"), so that any tar
// unpacks a backup. Only plain files with short ASCII names, which is all we write.

const BLOCK_BYTES = 512
/** The size field has eleven octal digits. A longer file has its size in an extended header. */
export const OCTAL_SIZE_MAX = 8 ** 11 - 1
const NAME_BYTES_MAX = 100
const EXTENDED_BYTES_MAX = 1024
/** Two blocks of zeros. */
const END = Buffer.alloc(2 * BLOCK_BYTES)

export interface TarFile {
  name: string
  bytes: number
}

/** The blocks that go before the content of a file that only its owner may read. */
export function tarHeader(
  { name, bytes }: TarFile,
  modifiedAt: number,
  octalMax = OCTAL_SIZE_MAX
): Buffer {
  const seconds = Math.floor(modifiedAt / 1000)
  if (bytes <= octalMax) return ustar(name, bytes, seconds, '0')
  const record = paxRecord('size', String(bytes))
  return Buffer.concat([
    ustar('extended', record.length, seconds, 'x'),
    record,
    tarPadding(record.length),
    ustar(name, OCTAL_SIZE_MAX, seconds, '0')
  ])
}

/** Zeros that fill the last block of a content of so many bytes. */
export function tarPadding(bytes: number): Buffer {
  return Buffer.alloc((BLOCK_BYTES - (bytes % BLOCK_BYTES)) % BLOCK_BYTES)
}

export const tarEnd = (): Buffer => END

function ustar(name: string, bytes: number, seconds: number, type: '0' | 'x'): Buffer {
  if (Buffer.byteLength(name) > NAME_BYTES_MAX) throw new RangeError('The name is too long.')
  const header = Buffer.alloc(BLOCK_BYTES)
  const octal = (value: number, at: number, digits: number) =>
    header.write(value.toString(8).padStart(digits, '0'), at)
  header.write(name, 0)
  octal(0o600, 100, 7)
  octal(0, 108, 7)
  octal(0, 116, 7)
  octal(bytes, 124, 11)
  octal(seconds, 136, 11)
  header.write(type, 156)
  header.write('ustar\x0000', 257)
  header.write(`${checksum(header).toString(8).padStart(6, '0')}\0 `, 148)
  return header
}

/** The sum of all bytes of the header, with blanks where the sum itself goes. */
function checksum(header: Buffer): number {
  let sum = 8 * 0x20
  for (const [at, byte] of header.entries()) if (at < 148 || at >= 156) sum += byte
  return sum
}

/** `length key=value\n`, where the length counts itself. */
function paxRecord(key: string, value: string): Buffer {
  const rest = ` ${key}=${value}\n`
  let length = rest.length
  while (String(length).length + rest.length !== length) {
    length = String(length).length + rest.length
  }
  return Buffer.from(`${length}${rest}`)
}

/** One file of an archive that is being read. Its content must be read before the next is asked for. */
export interface TarEntry extends TarFile {
  content: AsyncIterable<Buffer>
}

/**
 * Reads an archive as it comes. Throws BackupError for whatever `tarHeader` does not write. What
 * follows the end of the archive is read too, because the encryption is only proven at its end.
 */
export async function* readTar(source: AsyncIterable<Uint8Array>): AsyncGenerator<TarEntry> {
  const input = bytesOf(source)
  for (;;) {
    const found = await nextHeader(input)
    if (found === undefined) break
    let left = found.bytes
    const content = async function* () {
      while (left > 0) {
        const piece = await input.take(left)
        left -= piece.length
        yield piece
      }
    }
    yield { ...found, content: content() }
    if (left > 0) throw new Error('The content of an entry was not read.')
    await input.exactly(tarPadding(found.bytes).length)
  }
  if (!(await input.exactly(BLOCK_BYTES)).equals(END.subarray(BLOCK_BYTES))) throw foreign()
  await input.drain()
}

/** Undefined at the first of the two blocks that end the archive. */
async function nextHeader(input: Input): Promise<TarFile | undefined> {
  const header = await input.exactly(BLOCK_BYTES)
  if (header.equals(END.subarray(BLOCK_BYTES))) return undefined
  const { type, ...file } = parseHeader(header)
  if (type === '0') return file
  if (type !== 'x' || file.bytes > EXTENDED_BYTES_MAX) throw foreign()
  const record = (await input.exactly(file.bytes)).toString()
  await input.exactly(tarPadding(file.bytes).length)
  const [, length, size] = /^(\d+) size=(\d{1,15})\n$/.exec(record) ?? []
  const next = parseHeader(await input.exactly(BLOCK_BYTES))
  if (Number(length) !== file.bytes || next.type !== '0') throw foreign()
  return { name: next.name, bytes: Number(size) }
}

function parseHeader(header: Buffer): TarFile & { type: string } {
  const text = (from: number, to: number) =>
    header.subarray(from, to).toString('latin1').split('\0', 1)[0] ?? ''
  const octal = (from: number, to: number) => {
    const digits = text(from, to).trim()
    return /^[0-7]+$/.test(digits) ? Number.parseInt(digits, 8) : -1
  }
  const [name, bytes, type] = [text(0, 100), octal(124, 136), text(156, 157)]
  if (octal(148, 156) !== checksum(header) || text(257, 263) !== 'ustar' || bytes < 0) {
    throw foreign()
  }
  return { name, bytes, type }
}

type Input = ReturnType<typeof bytesOf>

/** Pulls bytes in the lengths that are wanted out of pieces of any length. */
function bytesOf(source: AsyncIterable<Uint8Array>) {
  const pieces = source[Symbol.asyncIterator]()
  let held: Buffer = Buffer.alloc(0)
  async function refill(): Promise<boolean> {
    while (held.length === 0) {
      const { value, done } = await pieces.next()
      if (done) return false
      held = Buffer.from(value.buffer, value.byteOffset, value.byteLength)
    }
    return true
  }
  /** At least one byte and at most `max`. */
  async function take(max: number): Promise<Buffer> {
    if (!(await refill())) throw foreign()
    const taken = held.subarray(0, max)
    held = held.subarray(taken.length)
    return taken
  }
  return {
    take,
    async exactly(count: number): Promise<Buffer> {
      const parts: Buffer[] = []
      for (let left = count; left > 0; left -= parts.at(-1)?.length ?? 0)
        parts.push(await take(left))
      return Buffer.concat(parts)
    },
    async drain(): Promise<void> {
      while (await refill()) held = Buffer.alloc(0)
    }
  }
}

function foreign(): BackupError {
  return new BackupError('This is not a backup of Consilium: what is inside is not our archive.')
}
