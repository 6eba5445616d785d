import { createCipheriv, createHash } from 'node:crypto'
import { slideOf } from '../../test/helpers/made-slide.ts'

// What the client sends: made from one prepared block, so that making it costs nothing while the
// clock runs. Client and bench make the same bytes, so that digests can be compared.

export const MIB = 1024 ** 2
const BLOCK_BYTES = MIB
const BOUNDARY = 'consilium-bench-boundary-7f3a9c'

export const MULTIPART_TYPE = `multipart/form-data; boundary=${BOUNDARY}`

/** What to send: the file as it is, or one or many of it as a form. */
export interface BodyPlan {
  form: boolean
  files: number
  bytesEach: number
}

/** A body as pieces to be written in order. Pieces repeat; nobody may change them. */
export interface Body {
  bytes: number
  pieces(): Generator<Buffer>
}

/** Bytes that no file system or link can compress, and always the same ones. */
const filler = createCipheriv('aes-256-ctr', Buffer.alloc(32, 1), Buffer.alloc(16)).update(
  Buffer.alloc(BLOCK_BYTES)
)

export function bodyOf(plan: BodyPlan): Body {
  if (!plan.form) return { bytes: plan.bytesEach, pieces: () => fileBlocks(plan.bytesEach) }
  const fields = Object.entries({ kind: 'scan', title: 'Bench', date: '2026-11-02' }).map(
    ([name, value]) => partHead(`name="${name}"`) + value
  )
  const heads = Array.from({ length: plan.files }, (_, i) =>
    Buffer.from(
      (i === 0 ? fields.join('') : '') +
        partHead(`name="file"; filename="slice-${i + 1}.dcm"`, 'application/dicom')
    )
  )
  const end = Buffer.from(`\r\n--${BOUNDARY}--\r\n`)
  const headBytes = heads.reduce((total, head) => total + head.byteLength, 0)
  return {
    bytes: headBytes + plan.files * plan.bytesEach + end.byteLength,
    *pieces() {
      for (const head of heads) {
        yield head
        yield* fileBlocks(plan.bytesEach)
      }
      yield end
    }
  }
}

/** First bytes of one file of a body. */
export function fileHead(bytesEach: number): Buffer {
  const [first = filler] = fileBlocks(bytesEach)
  return first.subarray(0, 16_384)
}

/** SHA-256 of one file of a body, in hex. */
export function digestOfFile(bytesEach: number): string {
  const hash = createHash('sha256')
  for (const block of fileBlocks(bytesEach)) hash.update(block)
  return hash.digest('hex')
}

function* fileBlocks(bytes: number): Generator<Buffer> {
  const head = bytes > PIXEL_BYTES_MAX ? slideHead() : dicomHead(bytes)
  const firstBlock = Buffer.concat([head, filler]).subarray(0, BLOCK_BYTES)
  for (let at = 0; at < bytes; at += BLOCK_BYTES) {
    yield (at === 0 ? firstBlock : filler).subarray(0, bytes - at)
  }
}

/** RFC 7578, section 4. The line break before the boundary belongs to it. */
function partHead(disposition: string, type?: string): string {
  const typeLine = type === undefined ? '' : `Content-Type: ${type}\r\n`
  return `\r\n--${BOUNDARY}\r\nContent-Disposition: form-data; ${disposition}\r\n${typeLine}\r\n`
}

/** What the length of one element can say (DICOM PS3.5, section 7.1.1). Larger files are slides. */
const PIXEL_BYTES_MAX = 2 ** 32 - 2

/** Of a slide of 20 GiB, in grey. */
function slideHead(): Buffer {
  return slideOf([{ width: 131_072, height: 163_840, tile: 512 }], { big: true })
}

/** Groups 0002 and up of an image of `fileBytes` bytes, as far as its pixels (DICOM PS3.10, section 7.1). */
function dicomHead(fileBytes: number): Buffer {
  const element = (group: number, tag: number, representation: string, value: string | Buffer) => {
    const bytes = Buffer.from(value)
    const head = Buffer.alloc(8)
    head.writeUInt16LE(group, 0)
    head.writeUInt16LE(tag, 2)
    head.write(representation, 4, 'latin1')
    head.writeUInt16LE(bytes.byteLength, 6)
    return Buffer.concat([head, bytes])
  }
  const syntax = element(0x0002, 0x0010, 'UI', '1.2.840.10008.1.2.1\0')
  const groupLength = Buffer.alloc(4)
  groupLength.writeUInt32LE(syntax.byteLength)
  const head = Buffer.concat([
    Buffer.alloc(128),
    Buffer.from('DICM'),
    element(0x0002, 0, 'UL', groupLength),
    syntax,
    element(0x0008, 0x0018, 'UI', '1.2.826.0.1.3680043.8.498.1\0'),
    element(0x0008, 0x0060, 'CS', 'CT'),
    element(0x0010, 0x0010, 'PN', 'TEST^Patient One'),
    element(0x0010, 0x0020, 'LO', '9990000018'),
    element(0x0010, 0x0030, 'DA', '19700101'),
    element(0x0020, 0x000d, 'UI', '1.2.826.0.1.3680043.8.498.10'),
    element(0x0020, 0x000e, 'UI', '1.2.826.0.1.3680043.8.498.11')
  ])
  const pixels = Buffer.alloc(12)
  pixels.writeUInt16LE(0x7fe0, 0)
  pixels.writeUInt16LE(0x0010, 2)
  pixels.write('OW', 4, 'latin1')
  pixels.writeUInt32LE(fileBytes - head.byteLength - pixels.byteLength, 8)
  return Buffer.concat([head, pixels])
}
