import t from 'tap'
import dictionary from '../../../src/records/deidentify/dictionary.json' with { type: 'json' }
import profile from '../../../src/records/deidentify/profile.json' with { type: 'json' }
import { pseudonymsOf } from '../../../src/records/deidentify/pseudonyms.ts'
import { representationOf, tagOf } from '../../../src/records/deidentify/representations.ts'
import {
  copyOf,
  ctSlice,
  type Planted,
  type SyntaxName,
  syntaxes,
  testKey
} from '../../helpers/dicom.ts'

// Whatever is planted under a tag of the table is gone, wherever it stands and however it is written.

const SECRET = 'Quillfeather'

const DAY = 86_400_000
/** Dates this many days apart are never those of others, shifted by whole weeks that are no multiple. */
const DATES_APART_DAYS = 11

const dated = (n: number): string =>
  new Date(Date.UTC(1930, 0, 1) + n * DATES_APART_DAYS * DAY)
    .toISOString()
    .slice(0, 10)
    .replaceAll('-', '')
const digits = (n: number): string => String(n).padStart(5, '0')

/** A value for each representation that stands nowhere else: by it the tag is known. */
const secrets: Record<string, (n: number) => string> = {
  AE: n => `ZQXAE${digits(n)}`,
  AS: () => '033Y',
  CS: n => `ZQXCODE${digits(n)}`,
  DA: dated,
  DS: n => `-77.131${digits(n)}`,
  DT: n => `${dated(n)}231457.777777`,
  IS: n => `13${digits(n)}`,
  SH: n => `ZQXSHORT${digits(n)}`,
  TM: n => `231457.7${digits(n)}`,
  UI: n => `1.3.6.1.4.1.5962.99.1.1313.7${digits(n)}`
}
const secretOf = (representation: string, n: number): string =>
  (secrets[representation] ?? (() => `Zanderquist${digits(n)}`))(n)

/** What the chosen options let stay on purpose. */
function stays([tag = '', , , dates, patient]: string[]): boolean {
  const representation = representationOf(tagOf(tag))
  if (patient === 'K') return true
  return dates === 'C' && (representation === 'TM' || representation === 'SH')
}

const rows = [...profile.rows, ...profile.beyond.map(row => [...row.slice(0, 3), '', ''])].filter(
  row => !stays(row) && row[0] !== '0002,0003'
)

const planted = rows.map(([tag = ''], n): { row: Planted; secret: string } => {
  const representation = representationOf(tagOf(tag)) ?? 'LO'
  if (representation === 'SQ') {
    const secret = secretOf('PN', n)
    const items: Planted[][] = [
      [
        ['0008,1155', 'UI', secretOf('UI', n)],
        ['0010,0010', 'PN', secret]
      ]
    ]
    return { row: [tag, 'SQ', items], secret }
  }
  const secret = secretOf(representation, n)
  return { row: [tag, representation, secret], secret }
})

/** Inside sequences that the table lets be. */
function buried(elements: Planted[], depth: number): Planted[] {
  if (depth === 0) return elements
  return [['5200,9229', 'SQ', [buried(elements, depth - 1)]]]
}
const inOrder = (elements: Planted[]): Planted[] =>
  elements.toSorted(([a], [b]) => tagOf(a) - tagOf(b))

for (const name of Object.keys(syntaxes) as SyntaxName[]) {
  t.test(`every tag of the table, at any depth: ${name}`, async t => {
    t.ok(planted.length > 600, 'there is a table')
    t.not(pseudonymsOf(testKey(1)).days % DATES_APART_DAYS, 0, 'no date becomes another')
    for (const depth of [0, 1, 4]) {
      for (const isDelimited of [false, true]) {
        const elements = buried(inOrder(planted.map(({ row }) => row)), depth)
        const file = ctSlice(elements, name, isDelimited)
        t.same(
          planted.filter(({ secret }) => !file.includes(secret)),
          [],
          'all are planted'
        )
        const { copy } = await copyOf(file, { pieceBytes: 61 + depth })
        const left = planted.filter(({ secret }) => copy.includes(secret))
        t.same(
          left.map(({ row: [tag, representation] }) => `${tag} ${representation}`),
          [],
          `at depth ${depth}`
        )
      }
    }
  })
}

/** Every tag that the standard knows with each of its representations. */
const standardTags = [dictionary.representations, dictionary.alternatives].flatMap(listed =>
  Object.entries(listed as Record<string, Record<string, string>>).flatMap(
    ([representation, groups]) =>
      Object.entries(groups).flatMap(([group, elements]) =>
        elements.split(' ').map(element => [`${group},${element}`, representation] as const)
      )
  )
)
const isPixels = (tag: string) => ['7FE0,0010', '7FE0,0008', '7FE0,0009'].includes(tag)

t.test('the name of the patient stays under no tag of the standard', async t => {
  const name = 'QUILLFEATHER'
  const tried = standardTags.filter(
    ([tag, representation]) =>
      representation !== 'SQ' && !isPixels(tag) && !tag.startsWith('0002') && tag !== '0010,0010'
  )
  t.ok(tried.length > 3500, `${tried.length} tags`)
  for (const written of [undefined, 'UN', 'OB', 'LO', 'US']) {
    for (const bytes of written === undefined ? [12, 16, 24, 48, 512] : [12, 16]) {
      const text = name.padEnd(bytes, ' ')
      const all = new Map<string, Planted>(
        tried.map(([tag, representation]) => [tag, [tag, written ?? representation, text]])
      )
      const file = ctSlice(
        inOrder([['0010,0010', 'PN', 'QUILLFEATHER^Ottoline'], ...all.values()]),
        'explicit little'
      )
      const { copy } = await copyOf(file, { pieceBytes: 65_536 })
      const at = copy.indexOf(name)
      t.equal(
        at,
        -1,
        `${written} ${bytes} ${copy.subarray(Math.max(at - 12, 0), at + 24).toString('latin1')}`
      )
    }
  }
})

t.test('what is planted is seen where it may stay', async t => {
  const file = ctSlice([['0008,0070', 'LO', 'Zephyr Scanners']])
  const { copy } = await copyOf(file)
  t.ok(copy.includes('Zephyr Scanners'), 'the maker of the machine')
  t.ok(copy.includes(Buffer.alloc(32, 0x5a)), 'the pixels')
})

t.test('private groups, curves, overlays, unknown tags and wrong kinds of value go', async t => {
  const gone: Planted[] = [
    ['0009,0010', 'LO', SECRET],
    ['0009,1001', 'UN', SECRET],
    ['0009,1002', 'SQ', [[['0008,0104', 'LO', SECRET]]]],
    ['0018,FFF0', 'LO', SECRET],
    ['0018,0050', 'LO', SECRET],
    ['0008,0070', 'OB', SECRET],
    ['0008,2218', 'OB', SECRET],
    ['0014,0104', 'PN', SECRET],
    ['0018,9917', 'UT', SECRET],
    ['5000,0005', 'US', SECRET],
    ['5004,3000', 'OB', SECRET],
    ['6000,0022', 'LO', SECRET],
    ['6002,3000', 'OB', SECRET],
    ['FFFC,FFFC', 'OB', SECRET]
  ]
  for (const planted of gone) {
    for (const isDelimited of [false, true]) {
      const { copy } = await copyOf(ctSlice([planted], 'explicit little', isDelimited))
      t.notOk(copy.includes(SECRET), planted[0])
    }
  }
})

t.test('a sequence whose kind the file does not know is walked all the same', async t => {
  for (const isDelimited of [false, true]) {
    const items: Planted[][] = [
      [
        ['0008,0104', 'LO', 'kept'],
        ['0010,0020', 'LO', SECRET]
      ]
    ]
    const inner = ctSlice([['5200,9229', 'SQ', items]], 'implicit little', isDelimited)
    const { copy } = await copyOf(inner)
    t.notOk(copy.includes(SECRET))
    t.ok(copy.includes('kept'))
  }
})

t.test('the patient named where text may stay', async t => {
  for (const [text, named] of [
    ['Head of QUILLFEATHER', true],
    ['Ottoline, seated', true],
    ['No 9990000018.', true],
    ['Smith of York', true],
    ['Quillfeathers', false]
  ] as const) {
    const { copy } = await copyOf(ctSlice([['0018,1210', 'SH', text]]), { names: ['smith'] })
    t.equal(copy.includes(text), !named, text)
  }
})
