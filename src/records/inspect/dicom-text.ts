/**
 * Text of DICOM headers. PS3.3 section C.12.1.1.2 names the character sets, PS3.5 chapter 6 and its
 * annexes H to K say how escape sequences switch between them. What Node decodes, it decodes; the
 * sets that exist only behind escape sequences are turned into the encoding that contains them.
 */

/** Sets of one byte a character, by the number of their ISO registration. */
const singleByte: Record<string, string> = {
  '100': 'iso-8859-1',
  '101': 'iso-8859-2',
  '109': 'iso-8859-3',
  '110': 'iso-8859-4',
  '144': 'iso-8859-5',
  '127': 'iso-8859-6',
  '126': 'iso-8859-7',
  '138': 'iso-8859-8',
  '148': 'iso-8859-9',
  '203': 'iso-8859-15',
  '166': 'windows-874',
  // JIS X 0201: its katakana are the single bytes of Shift JIS.
  '13': 'shift_jis',
  '149': 'euc-kr',
  '58': 'gb18030'
}

/** What an escape sequence switches to, and which half of the code table. */
const escapes: Record<string, { low?: 'ascii' | 'jis-208' | 'jis-212'; high?: string }> = {
  '(B': { low: 'ascii' },
  '(J': { low: 'ascii' },
  $B: { low: 'jis-208' },
  '$@': { low: 'jis-208' },
  '$(D': { low: 'jis-212' },
  ')I': { high: 'shift_jis' },
  '$)C': { high: 'euc-kr' },
  '$)A': { high: 'gb18030' },
  '-A': { high: 'iso-8859-1' },
  '-B': { high: 'iso-8859-2' },
  '-C': { high: 'iso-8859-3' },
  '-D': { high: 'iso-8859-4' },
  '-L': { high: 'iso-8859-5' },
  '-G': { high: 'iso-8859-6' },
  '-F': { high: 'iso-8859-7' },
  '-H': { high: 'iso-8859-8' },
  '-M': { high: 'iso-8859-9' },
  '-b': { high: 'iso-8859-15' },
  '-T': { high: 'windows-874' }
}

const ESCAPE = 0x1b
/** After any of these the set is the first one again: PS3.5 section 6.1.2.5.3. */
const delimiters = new Set(['^', '=', '\\', '\r', '\n', '\t', '\f'].map(c => c.charCodeAt(0)))

/** The character set of a header, as the values of Specific Character Set (0008,0005). */
export type CharacterSet = string[]

/**
 * Decodes a text. Never throws: what the declared set does not have, or bytes above ASCII where no
 * set, or none we know, is declared, becomes U+FFFD, so that it is not taken for a letter.
 */
export function decodeText(bytes: Buffer, set: CharacterSet): string {
  const first = (set[0] ?? '').trim().toUpperCase()
  const whole = wholeEncoding(first)
  if (whole !== undefined) return new TextDecoder(whole).decode(bytes)
  const initial = singleByte[/IR[ _]*(\d+)/.exec(first)?.[1] ?? '']
  if (!bytes.includes(ESCAPE)) return decodeHigh(bytes, initial)
  return decodeEscapes(bytes, initial)
}

/** Sets that need no escape sequences. */
function wholeEncoding(name: string): string | undefined {
  if (/IR[ _]*192$/.test(name) || /^UTF-?8$/.test(name)) return 'utf-8'
  if (name === 'GB18030' || name === 'GBK' || name === 'GB2312') return 'gb18030'
  return undefined
}

function decodeHigh(bytes: Buffer, encoding: string | undefined): string {
  if (encoding !== undefined) return new TextDecoder(encoding).decode(bytes)
  return Array.from(bytes, byte => (byte < 0x80 ? String.fromCharCode(byte) : '\ufffd')).join('')
}

function decodeEscapes(bytes: Buffer, initial: string | undefined): string {
  let low: 'ascii' | 'jis-208' | 'jis-212' = 'ascii'
  let high = initial
  let start = 0
  let text = ''
  const flush = (end: number) => {
    const run = bytes.subarray(start, end)
    text += low === 'ascii' ? decodeHigh(run, high) : decodeJis(run, low)
    start = end
  }
  for (let at = 0; at < bytes.length; at += 1) {
    const byte = bytes[at] ?? 0
    if (byte === ESCAPE) {
      flush(at)
      const found = escapeAt(bytes, at + 1)
      if (found === undefined) {
        start = at + 1
        continue
      }
      low = found.to.low ?? low
      high = found.to.high ?? high
      at += found.length
      start = at + 1
    } else if (low === 'ascii' && delimiters.has(byte)) {
      flush(at)
      high = initial
    }
  }
  flush(bytes.length)
  return text
}

function escapeAt(bytes: Buffer, at: number) {
  for (const length of [3, 2]) {
    const to = escapes[bytes.toString('latin1', at, at + length)]
    if (to !== undefined) return { to, length }
  }
  return undefined
}

/** Two seven-bit bytes a character; EUC-JP has the same with their high bits set. */
function decodeJis(run: Buffer, set: 'jis-208' | 'jis-212'): string {
  const pairs: number[] = []
  for (let at = 0; at + 1 < run.length; at += 2) {
    if (set === 'jis-212') pairs.push(0x8f)
    pairs.push((run[at] ?? 0) | 0x80, (run[at + 1] ?? 0) | 0x80)
  }
  return new TextDecoder('euc-jp').decode(Uint8Array.from(pairs))
}
