/** What a file may have at most. */
export interface CsvLimits {
  bytesMax: number
  rowsMax: number
  cellCharactersMax: number
  columnsMax: number
}

/** One row: its cells, and the line of the file at which it begins. */
export interface CsvRow {
  line: number
  cells: string[]
}

/** A file that is no CSV. `code` is for machines, `line` where it was noticed. */
export class CsvError extends Error {
  readonly code: string
  readonly line: number

  constructor(code: string, line: number, message: string) {
    super(`Line ${line}: ${message}`)
    this.name = 'CsvError'
    this.code = code
    this.line = line
  }
}

const BYTE_ORDER_MARK = '\ufeff'
const SEPARATOR_LINE = /^sep=([,;\t])\r?\n/
const DELIMITERS = [',', ';', '\t'] as const
/** As much of a file as its first line may take. */
const HEAD_CHARACTERS_MAX = 16_384

/**
 * Reads CSV as RFC 4180 has it, row by row as the bytes come, and nothing looser: a quote stands at the
 * beginning of a cell or not at all. Taken as spreadsheets write it: with a byte order mark, a `sep=`
 * line, semicolons or tabs between cells, any line ends, new lines inside quotes, empty lines. Throws
 * CsvError when it is not UTF-8, is damaged, or passes a limit.
 */
export async function* readCsv(
  bytes: AsyncIterable<Uint8Array>,
  limits: CsvLimits
): AsyncGenerator<CsvRow> {
  let scanner: ReturnType<typeof begin> | undefined
  let head = ''
  for await (const text of textOf(bytes, limits, () => scanner?.line() ?? 1)) {
    if (scanner !== undefined) {
      yield* scanner.take(text)
      continue
    }
    head += text
    if (head.length < HEAD_CHARACTERS_MAX && !/[\r\n]./s.test(head)) continue
    scanner = begin(head, limits)
    yield* scanner.take(scanner.rest)
  }
  if (scanner === undefined) {
    scanner = begin(head, limits)
    yield* scanner.take(scanner.rest)
  }
  yield* scanner.end()
}

async function* textOf(
  bytes: AsyncIterable<Uint8Array>,
  limits: CsvLimits,
  line: () => number
): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  let taken = 0
  const decode = (chunk?: Uint8Array) => {
    try {
      return chunk === undefined ? decoder.decode() : decoder.decode(chunk, { stream: true })
    } catch {
      throw new CsvError('not-utf8', line(), 'the file is not UTF-8. Save it as "CSV UTF-8".')
    }
  }
  for await (const chunk of bytes) {
    taken += chunk.byteLength
    if (taken > limits.bytesMax) throw new CsvError('too-large', line(), 'the file is too large.')
    yield decode(chunk)
  }
  yield decode()
}

/** Looks at the first line: what stands between its cells, and what it begins with. */
function begin(head: string, limits: CsvLimits) {
  const text = head.startsWith(BYTE_ORDER_MARK) ? head.slice(1) : head
  const told = SEPARATOR_LINE.exec(text)
  const rest = told === null ? text : text.slice(told[0].length)
  const delimiter = told?.[1] ?? delimiterOf(rest)
  return { ...scan(delimiter, limits, told === null ? 1 : 2), rest }
}

/** Whichever stands most often in the first line, outside quotes; of equals the first. */
function delimiterOf(text: string): string {
  const [line = ''] = text.replace(/"(?:[^"]|"")*"/g, '').split(/[\r\n]/)
  const counts = DELIMITERS.map(delimiter => line.split(delimiter).length)
  return DELIMITERS[counts.indexOf(Math.max(...counts))] ?? ','
}

type Place = 'cell-start' | 'plain' | 'quoted' | 'quote-closed'

function scan(delimiter: string, limits: CsvLimits, firstLine: number) {
  let place: Place = 'cell-start'
  let line = firstLine
  let rowLine = firstLine
  let rows = 0
  let afterReturn = false
  let cell = ''
  let cells: string[] = []

  function fail(code: string, message: string): never {
    throw new CsvError(code, line, message)
  }
  function add(character: string): void {
    if (character === '\0') fail('not-text', 'there is a zero byte.')
    cell += character
    if (cell.length > limits.cellCharactersMax) fail('cell-too-long', 'a cell is too long.')
  }
  function endCell(): void {
    cells.push(cell)
    if (cells.length > limits.columnsMax) fail('too-many-columns', 'there are too many columns.')
    cell = ''
    place = 'cell-start'
  }
  function endRow(): CsvRow | undefined {
    const isEmpty = place === 'cell-start' && cells.length === 0
    if (!isEmpty) endCell()
    const row = { line: rowLine, cells }
    cells = []
    if (isEmpty) return undefined
    rows += 1
    // The header is no row.
    if (rows > limits.rowsMax + 1) fail('too-many-rows', 'there are too many rows.')
    return row
  }
  /** One character inside a row. */
  function step(character: string): void {
    if (place === 'quoted') {
      if (character === '"') place = 'quote-closed'
      else add(character)
    } else if (character === delimiter) endCell()
    else if (character === '"') {
      // A doubled quote inside quotes is one quote; any other must open a cell.
      if (place === 'plain') fail('quote-misplaced', 'a quote stands inside a cell.')
      if (place === 'quote-closed') add(character)
      place = 'quoted'
    } else {
      if (place === 'quote-closed') fail('quote-misplaced', 'text follows a closing quote.')
      place = 'plain'
      add(character)
    }
  }
  return {
    line: () => line,
    *take(text: string): Generator<CsvRow> {
      for (const character of text) {
        const isNewLine = character === '\n' || character === '\r'
        // Of CR LF the second is no line of its own, also when they come in two pieces.
        const isSecond = character === '\n' && afterReturn
        afterReturn = character === '\r'
        if (isSecond) continue
        if (isNewLine) {
          if (place === 'quoted') add('\n')
          else {
            const row = endRow()
            if (row !== undefined) yield row
          }
          line += 1
          if (place !== 'quoted') rowLine = line
        } else step(character)
      }
    },
    *end(): Generator<CsvRow> {
      if (place === 'quoted') fail('quote-unclosed', 'a quote is never closed.')
      const row = endRow()
      if (row !== undefined) yield row
    }
  }
}
