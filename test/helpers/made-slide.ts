/** One directory of a slide; without tiles it is a photograph. */
export interface Page {
  width: number
  height: number
  tile?: number
  description?: string
}

/** The directories of a TIFF or BigTIFF file, without the pixels that nobody looks at. */
export function slideOf(pages: Page[], { big = false, little = true } = {}): Buffer {
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
