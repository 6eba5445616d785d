import t from 'tap'
import { commentFilter } from '../../../src/records/deidentify/codestream.ts'
import { copyOf, fragmentedSlice } from '../../helpers/dicom.ts'

// Comments in compressed pictures are emptied, in place; nothing that decoders read is touched.

const BASELINE = '1.2.840.10008.1.2.4.50'
const JPEG_LS = '1.2.840.10008.1.2.4.80'
const J2K = '1.2.840.10008.1.2.4.90'
const SECRET = 'Quillfeather, Ottoline'

const marker = (code: number) => Buffer.from([0xff, code])
function segment(code: number, content: Buffer | string): Buffer {
  const length = Buffer.alloc(2)
  length.writeUInt16BE(content.length + 2)
  return Buffer.concat([marker(code), length, Buffer.from(content)])
}
const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex')

/** A picture of either kind, with these segments in its head and behind its first data. */
function jpeg(head: Buffer[] = [], between: Buffer[] = [], after = Buffer.alloc(0)): Buffer {
  return Buffer.concat([
    marker(0xd8),
    segment(0xe0, Buffer.concat([Buffer.from('JFIF\0'), hex('0102 00 0048 0048 00 00')])),
    ...head,
    segment(0xdb, Buffer.alloc(65, 3)),
    segment(0xc0, hex('08 0004 0004 01 01 11 00')),
    segment(0xda, hex('01 01 00 00 3f 00')),
    hex('41 ff00 42 ffd0 43 ff00ff00'),
    ...between,
    segment(0xda, hex('01 01 00 00 3f 00')),
    hex('44 ff00 45'),
    marker(0xd9),
    after
  ])
}
function j2k(head: Buffer[] = [], inTile: Buffer[] = []): Buffer {
  const data = hex('01 02 ff8f 03 ff91 0004 ffff 04 ff92 05')
  return Buffer.concat([
    marker(0x4f),
    segment(0x51, Buffer.alloc(39, 2)),
    ...head,
    segment(0x5c, Buffer.alloc(4, 1)),
    segment(0x90, hex('0000 00000000 00 01')),
    ...inTile,
    marker(0x93),
    data,
    marker(0xd9)
  ])
}

/** What comes of pictures in pieces of each length; it is always the same. */
function filtered(transferSyntax: string, pictures: Buffer[]): Buffer {
  const results = [1, 2, 3, 7, 1_000_000].map(bytes => {
    const filter = commentFilter(transferSyntax)
    return Buffer.concat(
      pictures.flatMap(picture => {
        filter?.begin()
        const pieces = []
        for (let at = 0; at < picture.length; at += bytes) {
          const piece = picture.subarray(at, at + bytes)
          const before = Buffer.from(piece)
          pieces.push(Buffer.from(filter?.pass(piece) ?? piece))
          if (!piece.equals(before)) t.fail('a piece was written into')
        }
        return pieces
      })
    )
  })
  for (const result of results) t.ok(result.equals(results[0] ?? Buffer.alloc(0)))
  return results[0] ?? Buffer.alloc(0)
}

t.test('a picture without comments stays as it is', async t => {
  const thumbnail = segment(0xe0, 'JFXX\0')
  for (const [syntax, picture] of [
    [BASELINE, jpeg()],
    [JPEG_LS, Buffer.concat([jpeg(), hex('00')])],
    [JPEG_LS, jpeg([segment(0xf8, hex('01 00ff 0001 0002 0003 0040'))])],
    [JPEG_LS, jpeg([segment(0xe8, 'mrfx\x01')])],
    [BASELINE, jpeg([segment(0xee, Buffer.from('Adobe\0\0\0\0\0\0\x01'))])],
    [J2K, j2k()],
    [J2K, j2k([segment(0x64, hex('0001'))])]
  ] as const) {
    t.same(filtered(syntax, [picture, picture]), Buffer.concat([picture, picture]))
  }
  t.notSame(filtered(BASELINE, [jpeg([thumbnail])]), jpeg([thumbnail]))
  t.equal(commentFilter('1.2.840.10008.1.2.5'), undefined, 'RLE has none')
})

t.test('what no decoder needs becomes zeros', async t => {
  const exif = `Exif\0\0${SECRET}`
  const cases: [string, Buffer, Buffer][] = [
    ['a comment', jpeg([segment(0xfe, SECRET)]), jpeg([segment(0xfe, Buffer.alloc(22))])],
    ['Exif', jpeg([segment(0xe1, exif)]), jpeg([segment(0xe1, Buffer.alloc(28))])],
    [
      'between scans',
      jpeg([], [segment(0xfe, SECRET)]),
      jpeg([], [segment(0xfe, Buffer.alloc(22))])
    ],
    ['behind the end', jpeg([], [], Buffer.from(SECRET)), jpeg([], [], Buffer.alloc(22))],
    ['where a marker should be', jpeg([Buffer.from(SECRET)]), jpeg([Buffer.alloc(22)])],
    [
      'in the application data of others',
      jpeg([segment(0xee, `Adobe${SECRET}`), segment(0xe8, `mrfx\x02${SECRET}`)]),
      jpeg([
        segment(
          0xee,
          Buffer.concat([
            Buffer.from('Adobe\0\0\0\0\0\0'),
            Buffer.from(SECRET[6] ?? ''),
            Buffer.alloc(15)
          ])
        ),
        segment(0xe8, Buffer.concat([Buffer.from('mrfx\x02'), Buffer.alloc(22)]))
      ])
    ],
    ['a segment of no kind', jpeg([segment(0xf3, SECRET)]), jpeg([segment(0xf3, Buffer.alloc(22))])]
  ]
  for (const [name, picture, expected] of cases) {
    t.same(filtered(BASELINE, [picture, jpeg()]), Buffer.concat([expected, jpeg()]), name)
  }
  const remark = (text: string) => segment(0x64, Buffer.concat([hex('0001'), Buffer.from(text)]))
  const empty = remark('\0'.repeat(SECRET.length))
  t.same(filtered(J2K, [j2k([remark(SECRET)])]), j2k([empty]), 'JPEG 2000, in its head')
  t.same(filtered(J2K, [j2k([], [remark(SECRET)])]), j2k([], [empty]), 'and in a tile')
})

t.test('a picture in several fragments is one picture', async t => {
  const whole = jpeg([segment(0xfe, SECRET)])
  const pieces = [whole.subarray(0, 31), whole.subarray(31, 60), whole.subarray(60)]
  t.same(filtered(BASELINE, pieces), jpeg([segment(0xfe, Buffer.alloc(22))]))
})

t.test('copies of files have no comments, and what is no picture is refused', async t => {
  const picture = jpeg([segment(0xfe, SECRET)])
  const { copy } = await copyOf(fragmentedSlice(BASELINE, [picture, picture]), { pieceBytes: 50 })
  t.notOk(copy.includes(SECRET))
  t.ok(copy.includes(jpeg([segment(0xfe, Buffer.alloc(22))])))
  for (const fragment of [SECRET, '\xff\xd7 text', '\0\0\0\x0cjP  \r\n\x87\n']) {
    const file = fragmentedSlice(BASELINE, [picture, Buffer.from(fragment, 'latin1')])
    await t.rejects(copyOf(file), { code: 'dicom-unreadable' })
  }
})
