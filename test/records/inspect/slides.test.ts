import t from 'tap'
import { lookInside } from '../../../src/records/inspect/look-inside.ts'
import type { ObjectSummary } from '../../../src/records/inspect/summary.ts'

/** One directory of a slide; without tiles it is a photograph. */
interface Page {
  width: number
  height: number
  tile?: number
  description?: string
}

/** The directories of a TIFF or BigTIFF file, without the pixels that nobody looks at. */
function slideOf(pages: Page[], { big = false, little = true } = {}): Buffer {
  const number = (value: number, bytes: number) => {
    const field = Buffer.alloc(8)
    field.writeBigUInt64LE(BigInt(value))
    const part = Buffer.from(field.subarray(0, bytes))
    return little ? part : part.reverse()
  }
  const short = (value: number) => Buffer.concat([number(value, 2), Buffer.alloc(offset - 2)])
  const offset = big ? 8 : 4
  const header = big ? 16 : 8
  const parts: Buffer[] = [Buffer.from(little ? 'II' : 'MM'), number(big ? 43 : 42, 2)]
  if (big) parts.push(number(8, 2), number(0, 2))
  parts.push(number(header, offset))
  let at = header
  for (const [index, { width, height, tile, description = '' }] of pages.entries()) {
    const text = Buffer.from(`${description}\0`)
    const fields: [tag: number, type: number, count: number, value: Buffer][] = [
      [256, 4, 1, Buffer.concat([number(width, 4), Buffer.alloc(offset - 4)])],
      [257, 4, 1, Buffer.concat([number(height, 4), Buffer.alloc(offset - 4)])]
    ]
    if (tile) fields.push([322, 3, 1, short(tile)], [323, 3, 1, short(tile)])
    const count = fields.length + 1
    const end = at + (big ? 8 : 2) + count * (big ? 20 : 12) + offset
    fields.splice(2, 0, [270, 2, text.length, number(end, offset)])
    const inline = text.length <= offset
    if (inline)
      fields[2] = [
        270,
        2,
        text.length,
        Buffer.concat([text, Buffer.alloc(offset)]).subarray(0, offset)
      ]
    const next = end + (inline ? 0 : text.length)
    parts.push(number(count, big ? 8 : 2))
    for (const [tag, type, values, value] of fields) {
      parts.push(number(tag, 2), number(type, 2), number(values, offset), value)
    }
    parts.push(number(index + 1 < pages.length ? next : 0, offset))
    if (!inline) parts.push(text)
    at = next
  }
  return Buffer.concat(parts)
}

const see = (file: Buffer): Promise<ObjectSummary> =>
  lookInside('image/tiff', {
    bytes: file.length,
    read: async (position, length) => file.subarray(position, position + length)
  })

/** 24,576 × 20,480 pixels and seven halvings of it, as libvips writes them. */
const pyramid: Page[] = Array.from({ length: 8 }, (_, level) => ({
  width: 24_576 >> level,
  height: 20_480 >> level,
  tile: 256
}))

t.test('a pyramid of half a thousand million pixels', async t => {
  for (const form of [{}, { big: true }, { big: true, little: false }, { little: false }]) {
    const { slide, notes } = await see(slideOf(pyramid, form))
    t.equal(slide?.levels.length, 8)
    t.same(slide?.levels[0], { width: 24_576, height: 20_480, tileWidth: 256, tileHeight: 256 })
    t.same(slide?.levels[7], { width: 192, height: 160, tileWidth: 256, tileHeight: 256 })
    t.match(slide, { label: false, macro: false })
    t.same(notes, [])
  }
})

t.test('the label and the photograph of an Aperio slide are seen', async t => {
  const aperio = 'Aperio Image Library v11.2.1\n46000x32914 [0,100 46000x32814] (256x256) JPEG/RGB'
  const pages = [
    { ...pyramid[0], description: aperio },
    { width: 574, height: 768, description: 'Aperio Image Library v11.2.1\nthumbnail 574x768' },
    { ...pyramid[2], description: aperio },
    { width: 387, height: 463, description: 'Aperio Image Library v11.2.1\nlabel 387x463' },
    { width: 1280, height: 431, description: 'Aperio Image Library v11.2.1\nmacro 1280x431' }
  ] as Page[]
  const { slide, notes } = await see(slideOf(pages))
  t.match(slide, { label: true, macro: true, vendor: 'Aperio' })
  t.same(
    slide?.levels.map(({ width }) => width),
    [24_576, 6144, 574]
  )
  t.match(notes, [{ code: 'label-image' }])
})

t.test('a slide of very many pages is read as far as the limit', async t => {
  const pages = Array.from({ length: 1200 }, () => ({ width: 10, height: 10 }))
  const { slide, notes } = await see(slideOf(pages))
  t.equal(slide?.levels.length, 64)
  t.match(notes, [{ code: 'structure-not-fully-read' }])
})
