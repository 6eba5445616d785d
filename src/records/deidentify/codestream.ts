import { unreadable } from './elements.ts'

/** Looks through the pieces of compressed pixel data as they pass. Lengths stay as they are. */
export interface PixelFilter {
  /** A fragment begins. Refusal `dicom-unreadable` when a picture should begin there, and does not. */
  begin(): void
  /** The piece itself, or another of its length. */
  pass(piece: Buffer): Buffer
}

/** What the markers of a compressed picture mean: two bytes, the first of them 255. */
interface Grammar {
  start: number
  end: number
  /** Those without a segment. */
  bare: ReadonlySet<number>
  /** After these comes what is not in segments. */
  beforeData: ReadonlySet<number>
  /** Whether such a pair of bytes within that is no marker. */
  isData(code: number): boolean
  /** Segments that decoders need whole. */
  needed: ReadonlySet<number>
  /** Segments of which they need some bytes if they begin with a certain word. */
  partly: ReadonlyMap<number, { word: string; from: number; to: number }>
}

const codes = (text: string): ReadonlySet<number> =>
  new Set(text.split(' ').map(code => Number.parseInt(code, 16)))

/** ISO/IEC 10918-1, table B.1, and what ISO/IEC 14495-1 (JPEG-LS) adds. */
const jpeg: Grammar = {
  start: 0xd8,
  end: 0xd9,
  bare: codes('01 D0 D1 D2 D3 D4 D5 D6 D7'),
  beforeData: codes('DA'),
  isData: code => code < 0xc0 || (code >= 0xd0 && code <= 0xd7),
  needed: codes('C0 C1 C2 C3 C4 C5 C6 C7 C9 CA CB CC CD CE CF DA DB DC DD DE DF F7 F8'),
  partly: new Map([
    // JFIF: version and density. Its picture in small goes.
    [0xe0, { word: 'JFIF\0', from: 5, to: 12 }],
    // Which way colours were transformed: without it they would be decoded as others.
    [0xe8, { word: 'mrfx', from: 4, to: 5 }],
    [0xee, { word: 'Adobe', from: 11, to: 12 }]
  ])
}

/** ISO/IEC 15444-1, table A.2, and what its parts 2 and 15 add. */
const jpeg2000: Grammar = {
  start: 0x4f,
  end: 0xd9,
  bare: codes('30 31 32 33 34 35 36 37 38 39 3A 3B 3C 3D 3E 3F 92 93'),
  beforeData: codes('91 93'),
  isData: code => code < 0x90 || code === 0x92,
  needed: codes('50 51 52 53 55 57 58 59 5C 5D 5E 5F 60 61 63 74 75 76 77 78 79 90 91'),
  partly: new Map([
    // Whether the comment is text.
    [0x64, { word: '', from: 0, to: 2 }]
  ])
}

const JPEG_SYNTAXES = /^1\.2\.840\.10008\.1\.2\.4\.(5\d|6\d|70|8[01])$/
const JPEG_2000_SYNTAXES = /^1\.2\.840\.10008\.1\.2\.4\.(9[0-3]|20[1-3])$/

/**
 * Empties comments, application data and whatever else in compressed pictures no decoder needs: its
 * bytes become zeros. What they decode to stays the same. Undefined for other compressions.
 */
export function commentFilter(transferSyntax: string): PixelFilter | undefined {
  if (JPEG_SYNTAXES.test(transferSyntax)) return filterOf(jpeg)
  if (JPEG_2000_SYNTAXES.test(transferSyntax)) return filterOf(jpeg2000)
  return undefined
}

type State = 'outside' | 'opening' | 'between' | 'marker' | 'length' | 'segment' | 'data' | 'escape'

/** Where in a picture we are. */
interface Scan {
  grammar: Grammar
  state: State
  /** A picture should begin just here. */
  isFirst: boolean
  /** The segment under way: its marker, how many bytes of it were seen, and how long it is. */
  code: number
  at: number
  end: number
  /** So far it begins with the word that it should begin with. */
  isWord: boolean
}

function filterOf(grammar: Grammar): PixelFilter {
  const scan: Scan = {
    grammar,
    state: 'outside',
    isFirst: false,
    code: 0,
    at: 0,
    end: 0,
    isWord: true
  }
  return {
    begin() {
      scan.isFirst = scan.state === 'outside' || scan.state === 'opening'
    },
    pass(piece) {
      let passed = piece
      for (let from = 0; from < piece.length; ) {
        const skipped = unseen(scan, piece, from)
        from += skipped
        if (skipped > 0) continue
        if (!take(scan, piece[from] ?? 0) && piece[from] !== 0) {
          // The piece is its giver's.
          if (passed === piece) passed = Buffer.from(piece)
          passed[from] = 0
        }
        from += 1
      }
      return passed
    }
  }
}

/** How many bytes from here on pass without a look. */
function unseen(scan: Scan, piece: Buffer, from: number): number {
  if (scan.state === 'data') {
    const next = piece.indexOf(0xff, from)
    if (next < 0) return piece.length - from
    scan.state = 'escape'
    return next + 1 - from
  }
  if (scan.state !== 'segment' || !scan.grammar.needed.has(scan.code)) return 0
  const bytes = Math.min(scan.end - scan.at, piece.length - from)
  scan.at += bytes
  if (scan.at === scan.end) scan.state = behind(scan)
  return bytes
}

/** Takes one byte; whether it stays. */
function take(scan: Scan, byte: number): boolean {
  switch (scan.state) {
    case 'outside':
    case 'opening':
      return takeOutside(scan, byte)
    case 'between':
      if (byte === 0xff) scan.state = 'marker'
      return byte === 0xff
    case 'escape':
      if (byte !== 0xff) scan.state = scan.grammar.isData(byte) ? 'data' : marked(scan, byte)
      return true
    case 'marker':
      scan.state = marked(scan, byte)
      return true
    case 'length':
      scan.state = measured(scan, byte)
      return true
    default: {
      const isKept = stays(scan, byte)
      scan.at += 1
      if (scan.at === scan.end) scan.state = behind(scan)
      return isKept
    }
  }
}

function takeOutside(scan: Scan, byte: number): boolean {
  if (byte === 0xff) scan.state = 'opening'
  else if (scan.state === 'opening' && byte === scan.grammar.start) {
    scan.state = 'between'
    scan.isFirst = false
  } else if (scan.isFirst) throw unreadable('not the compression that the file names')
  else scan.state = 'outside'
  return scan.state !== 'outside'
}

/** After the byte that says which marker it is. */
function marked(scan: Scan, byte: number): State {
  const { grammar } = scan
  if (byte === 0xff) return 'marker'
  if (byte === grammar.end) return 'outside'
  scan.code = byte
  if (byte === 0 || byte === grammar.start || grammar.bare.has(byte)) return behind(scan)
  scan.at = 0
  return 'length'
}

const behind = ({ grammar, code }: Scan): State =>
  grammar.beforeData.has(code) ? 'data' : 'between'

/** The two bytes of a length, which counts themselves. */
function measured(scan: Scan, byte: number): State {
  scan.at += 1
  if (scan.at === 1) {
    scan.end = byte * 256
    return 'length'
  }
  scan.end += byte
  if (scan.end < 2) throw unreadable('a segment of compressed pixel data')
  scan.isWord = true
  return scan.at === scan.end ? behind(scan) : 'segment'
}

/** Whether this byte of a segment stays that decoders do not need whole. */
function stays(scan: Scan, byte: number): boolean {
  const part = scan.grammar.partly.get(scan.code)
  if (part === undefined) return false
  const place = scan.at - 2
  if (place >= part.word.length) return scan.isWord && place >= part.from && place < part.to
  scan.isWord &&= byte === part.word.charCodeAt(place)
  return scan.isWord
}
