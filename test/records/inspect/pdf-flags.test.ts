import { deflateSync } from 'node:zlib'
import t from 'tap'
import { lookInside } from '../../../src/records/inspect/look-inside.ts'

const MIB = 1024 ** 2

function objects(packed: Buffer): Buffer {
  const dictionary = `1 0 obj\n<< /Type /ObjStm /Filter /FlateDecode /Length ${packed.length} >>`
  return Buffer.concat([
    Buffer.from(`${dictionary}\nstream\n`),
    packed,
    Buffer.from('\nendstream endobj\n')
  ])
}

async function flagsOf(...streams: Buffer[]) {
  const bytes = Buffer.concat([Buffer.from('%PDF-1.7\n'), ...streams, Buffer.from('%%EOF')])
  const read = async (position: number, length: number) =>
    bytes.subarray(position, position + length)
  const { pdf } = await lookInside('application/pdf', { bytes: bytes.length, read })
  return pdf?.flags
}

const script = objects(deflateSync('1 0 << /S /JavaScript /JS 3 0 R >>'))
/** One byte more than is unpacked of one stream: it fails only once all the others have come. */
const tooLarge = objects(deflateSync(Buffer.alloc(4 * MIB + 1, 32)))
const damaged = objects(deflateSync('1 0 << /S /Launch >>').fill(0xff, 4))

t.test('streams that fail to unpack are paid for like the others', async t => {
  t.same(await flagsOf(script), ['javascript'])
  const seven = Array(7).fill(tooLarge)
  t.same(await flagsOf(...seven, script), ['javascript', 'not-fully-read'], 'there is some left')
  t.same(await flagsOf(...seven, tooLarge, script), ['not-fully-read'], 'and then no more')
})

t.test('damaged streams cost next to nothing, and hide nothing behind them', async t => {
  const many = Array(500).fill(damaged)
  t.same(await flagsOf(...many, script), ['javascript', 'not-fully-read'])
})
