import fc from 'fast-check'
import t from 'tap'
import { readCsv } from '../../src/register/csv.ts'

const limits = { bytesMax: 10_000, rowsMax: 20, cellCharactersMax: 100, columnsMax: 5 }

async function* pieces(bytes: Uint8Array, size = bytes.length || 1) {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

async function read(text: string | Buffer, size?: number): Promise<string[][]> {
  const rows: string[][] = []
  for await (const { cells } of readCsv(pieces(Buffer.from(text), size), limits)) rows.push(cells)
  return rows
}

t.test('what spreadsheets write', async t => {
  const same = [
    ['a', 'b'],
    ['1', '2']
  ]
  for (const text of [
    'a,b\n1,2\n',
    'a,b\r\n1,2\r\n',
    'a,b\r1,2',
    '\ufeffa,b\r\n1,2',
    'a;b\r\n1;2\r\n',
    'a\tb\n1\t2',
    'sep=;\r\na;b\r\n1;2\r\n',
    '\ufeffsep=,\na,b\n1,2',
    '"a","b"\n"1","2"\n',
    'a,b\n\n\r\n1,2\n\n'
  ]) {
    for (const size of [1, 2, 3, undefined])
      t.same(await read(text, size), same, `${JSON.stringify(text)} by ${size}`)
  }
  t.same(await read('a,b\n"x\r\ny","say ""hi"", he said"\n'), [
    ['a', 'b'],
    ['x\ny', 'say "hi", he said']
  ])
  t.same(await read('"a;b;c",d\n1,2'), [
    ['a;b;c', 'd'],
    ['1', '2']
  ])
  t.same(await read(',\n"",'), [
    ['', ''],
    ['', '']
  ])
  t.same(await read(''), [])
})

t.test('lines are counted as an editor counts them', async t => {
  const lines: number[] = []
  const text = 'sep=;\r\na;b\r\n"one\r\ntwo";3\r\n\r\nx;y\r\n'
  for await (const row of readCsv(pieces(Buffer.from(text), 1), limits)) lines.push(row.line)
  t.same(lines, [2, 3, 6])
})

t.test('what is no CSV', async t => {
  const refused: [text: string | Buffer, code: string, line: number][] = [
    ['a,b\n1,"2', 'quote-unclosed', 2],
    ['a,b\n1,"2"x\n', 'quote-misplaced', 2],
    ['a,b\n1,2"x"\n', 'quote-misplaced', 2],
    [Buffer.from('a,b\nM\xfcller,2\n', 'latin1'), 'not-utf8', 1],
    [Buffer.from('\ufeffa,b\n', 'utf16le'), 'not-utf8', 1],
    ['a,b\n1,\0\n', 'not-text', 2],
    [`a,b\n1,${'x'.repeat(101)}\n`, 'cell-too-long', 2],
    [`a,b\n"${'x\n'.repeat(60)}`, 'cell-too-long', 52],
    ['a,b,c,d,e,f\n', 'too-many-columns', 1],
    [`a\n${'1\n'.repeat(21)}`, 'too-many-rows', 22],
    [`a\n${'1'.repeat(11_000)}`, 'too-large', 1]
  ]
  for (const [text, code, line] of refused) {
    await t.rejects(read(text), { code, line }, code)
    if (code !== 'too-large' && code !== 'not-utf8')
      await t.rejects(read(text, 1), { code, line }, code)
  }
})

t.test('whatever is written down comes back, however it is cut', async t => {
  const cell = fc.string({
    unit: fc.constantFrom('a', '"', ',', ';', '\n', 'ü', '𝒳', ' '),
    maxLength: 8
  })
  const table = fc.array(fc.array(cell, { minLength: 2, maxLength: 4 }), {
    minLength: 1,
    maxLength: 6
  })
  await fc.assert(
    fc.asyncProperty(table, fc.integer({ min: 1, max: 7 }), async (rows, size) => {
      const header = ['h', 'i']
      const text = [header, ...rows]
        .map(cells => cells.map(text => `"${text.replaceAll('"', '""')}"`).join(','))
        .join('\r\n')
      t.same(await read(text, size), [header, ...rows])
    }),
    { numRuns: 100 }
  )
})
