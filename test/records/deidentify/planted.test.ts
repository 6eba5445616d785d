import t from 'tap'
import profile from '../../../src/records/deidentify/profile.json' with { type: 'json' }
import { representationOf, tagOf } from '../../../src/records/deidentify/representations.ts'
import { copyOf, ctSlice, type Planted, type SyntaxName, syntaxes } from '../../helpers/dicom.ts'

// Whatever is planted under a tag of the table is gone, wherever it stands and however it is written.

const SECRET = 'Quillfeather'

const secrets: Record<string, string> = {
  AE: 'ZQXAETITLE',
  AS: '033Y',
  CS: 'ZQXCODE',
  DA: '19870511',
  DS: '-77.13131',
  DT: '19870511231457.777777',
  IS: '1313131',
  SH: 'ZQXSHORT',
  TM: '231457.777777',
  UI: '1.3.6.1.4.1.5962.99.1.1313'
}

/** What the chosen options let stay on purpose. */
function stays([tag = '', , , dates, patient]: string[]): boolean {
  const representation = representationOf(tagOf(tag))
  if (patient === 'K') return true
  return dates === 'C' && (representation === 'TM' || representation === 'SH')
}

const rows = [...profile.rows, ...profile.beyond.map(row => [...row.slice(0, 3), '', ''])]

function plant(tag: string): { planted: Planted; secret: string } {
  const representation = representationOf(tagOf(tag)) ?? 'LO'
  if (representation === 'SQ') {
    const items: Planted[][] = [
      [
        ['0008,1155', 'UI', String(secrets['UI'])],
        ['0010,0010', 'PN', SECRET]
      ]
    ]
    return { planted: [tag, 'SQ', items], secret: SECRET }
  }
  const secret = secrets[representation] ?? SECRET
  return { planted: [tag, representation, secret], secret }
}

/** Inside sequences that the table lets be. */
function buried(planted: Planted, depth: number): Planted {
  if (depth === 0) return planted
  return ['5200,9229', 'SQ', [[buried(planted, depth - 1)]]]
}

for (const name of Object.keys(syntaxes) as SyntaxName[]) {
  t.test(`every tag of the table, at any depth: ${name}`, async t => {
    t.ok(rows.length > 650, 'there is a table')
    let tried = 0
    for (const row of rows) {
      const [tag = ''] = row
      if (stays(row) || tag === '0002,0003') continue
      const { planted, secret } = plant(tag)
      for (const depth of [0, 1, 4]) {
        for (const isDelimited of [false, true]) {
          const file = ctSlice([buried(planted, depth)], name, isDelimited)
          const { copy } = await copyOf(file, { pieceBytes: 61 + depth })
          tried += 1
          if (copy.includes(secret)) t.fail(`${row.join(' ')} at depth ${depth}`)
        }
      }
    }
    t.ok(tried > 3000, `${tried} files`)
  })
}

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
