/**
 * The tables that decide what a file is. Sources: DICOM PS3.10 section 7.1, ISO 32000-2 section
 * 7.5.2, PNG (third edition) section 5.2, ITU-T T.81 annex B, TIFF 6.0 section 2, the BigTIFF
 * design of libtiff, C2SP age, and for what is refused the file formats' own specifications.
 */

/** The types the exchange takes, and the names each goes by. */
export const acceptedTypes = {
  'application/dicom': {
    contentTypes: ['application/dicom'],
    extensions: ['dcm', 'dicom', 'dic'],
    endToEnd: false
  },
  'application/pdf': {
    contentTypes: ['application/pdf', 'application/x-pdf'],
    extensions: ['pdf'],
    endToEnd: false
  },
  'image/png': { contentTypes: ['image/png'], extensions: ['png'], endToEnd: false },
  'image/jpeg': {
    contentTypes: ['image/jpeg', 'image/jpg', 'image/pjpeg'],
    extensions: ['jpg', 'jpeg', 'jpe', 'jfif'],
    endToEnd: false
  },
  // Slide scanners write TIFF under names of their own: svs (Aperio), ndpi (Hamamatsu), btf and
  // tf8 (BigTIFF), scn (Leica).
  'image/tiff': {
    contentTypes: ['image/tiff', 'image/tiff-fx'],
    extensions: ['tif', 'tiff', 'svs', 'ndpi', 'btf', 'tf8', 'scn'],
    endToEnd: false
  },
  'text/plain': { contentTypes: ['text/plain'], extensions: ['txt', 'text'], endToEnd: false },
  // Encrypted by its sender: the exchange cannot look inside, and says so with the record.
  'application/age': {
    contentTypes: ['application/age', 'application/x-age-encryption'],
    extensions: ['age'],
    endToEnd: true
  }
} as const satisfies Record<
  string,
  { contentTypes: readonly string[]; extensions: readonly string[]; endToEnd: boolean }
>

export type FileType = keyof typeof acceptedTypes

/**
 * Extensions that no accepted file may carry, whatever its bytes: a receiver's system would run or
 * interpret a plain text of that name. CSV is here because spreadsheets run the formulas in it.
 */
export const refusedExtensions: ReadonlySet<string> = new Set(
  `exe com scr pif dll sys cpl msi msp mst msix appx bat cmd ps1 psm1 vbs vbe vb js jse mjs cjs wsf
  wsh ws hta lnk url reg inf scf chm jar class apk app dmg pkg deb rpm sh bash zsh csh
  elf so py pyw rb pl php asp aspx jsp html htm xhtml shtml mht mhtml svg svgz xml xsl xslt zip
  rar 7z gz tgz xz bz2 zst tar cab iso vhd vhdx doc docx docm dot dotm xls xlsx xlsm xlsb xlam
  ppt pptx pptm rtf odt ods odp csv slk one eml msg eps ps swf wasm gif webp bmp`.split(/\s+/)
)

/** A format that is refused, known by the bytes it starts with. */
export interface Signature {
  name: string
  bytes: Buffer
  /** Where the bytes stand; 0 unless said. */
  at?: number
}

const hex = (digits: string) => Buffer.from(digits.replaceAll(' ', ''), 'hex')
const ascii = (text: string) => Buffer.from(text, 'latin1')

/**
 * Refused formats that are not text. Some begin with letters; a text that does is still a text, as
 * when a letter begins with "MZ twins".
 */
export const binarySignatures: readonly Signature[] = [
  { name: 'Windows or DOS program', bytes: ascii('MZ') },
  { name: 'DOS program', bytes: ascii('ZM') },
  { name: 'ELF program', bytes: hex('7f 45 4c 46') },
  { name: 'Mach-O program', bytes: hex('fe ed fa ce') },
  { name: 'Mach-O program', bytes: hex('fe ed fa cf') },
  { name: 'Mach-O program', bytes: hex('ce fa ed fe') },
  { name: 'Mach-O program', bytes: hex('cf fa ed fe') },
  { name: 'Java class or universal Mach-O program', bytes: hex('ca fe ba be') },
  { name: 'universal Mach-O program', bytes: hex('ca fe ba bf') },
  { name: 'WebAssembly', bytes: hex('00 61 73 6d') },
  { name: 'Android program', bytes: ascii('dex\n') },
  { name: 'Windows shortcut', bytes: hex('4c 00 00 00 01 14 02 00') },
  { name: 'Office document or Windows installer', bytes: hex('d0 cf 11 e0 a1 b1 1a e1') },
  { name: 'cabinet archive', bytes: hex('4d 53 43 46 00 00 00 00') },
  { name: 'gzip archive', bytes: hex('1f 8b') },
  { name: 'compress archive', bytes: hex('1f 9d') },
  { name: 'bzip2 archive', bytes: ascii('BZh') },
  { name: 'xz archive', bytes: hex('fd 37 7a 58 5a 00') },
  { name: 'Zstandard archive', bytes: hex('28 b5 2f fd') },
  { name: 'LZ4 archive', bytes: hex('04 22 4d 18') },
  { name: 'tar archive', bytes: ascii('ustar'), at: 257 }
]

/** Refused formats that are text, known by their first characters. */
export const textSignatures: readonly Signature[] = [
  { name: 'script', bytes: ascii('#!') },
  { name: 'PostScript', bytes: ascii('%!') },
  { name: 'rich text document', bytes: ascii('{\\rt') },
  { name: 'Unix archive', bytes: ascii('!<arch>') }
]

/**
 * Refused formats whose readers search for their beginning: a ZIP is found from its end, and a PDF
 * anywhere in the first 1,024 bytes.
 */
export const embeddedSignatures: readonly Signature[] = [
  { name: 'ZIP archive', bytes: hex('50 4b 03 04') },
  { name: 'ZIP archive', bytes: hex('50 4b 05 06') },
  { name: '7z archive', bytes: hex('37 7a bc af 27 1c') },
  { name: 'RAR archive', bytes: ascii('Rar!\x1a\x07') },
  { name: 'PDF', bytes: ascii('%PDF-') }
]

/**
 * Markup that is refused wherever it stands in a text. A text that came to be shown as a page could
 * act through it; no letter needs it.
 */
export const activeMarkup =
  /<[!?/]?(?:doctype|entity|html|svg|script|iframe|frameset|object|embed|xml|php)\b/i

/** Markup of any kind at the beginning. A text may well begin with "<5 mg", but not with "<a". */
export const leadingMarkup = /^[\s\ufeff]*<[a-z!?/%]/i
