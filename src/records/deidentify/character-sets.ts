import { trimValue } from './values.ts'

/** DICOM PS3.3, section C.12.1.1.2: tables C.12-2 to C.12-5. */
const defined = new Set([
  '',
  ...'ISO_IR 6,ISO_IR 13,ISO_IR 100,ISO_IR 101,ISO_IR 109,ISO_IR 110,ISO_IR 126,ISO_IR 127'.split(
    ','
  ),
  ...'ISO_IR 138,ISO_IR 144,ISO_IR 148,ISO_IR 166,ISO_IR 192,ISO_IR 203,GB18030,GBK'.split(','),
  ...'6 13 58 87 100 101 109 110 126 127 138 144 148 149 159 166 203'
    .split(' ')
    .map(number => `ISO 2022 IR ${number}`)
])

/** Whether every value names a character set that the standard knows. */
export function isDefinedCharacterSet(text: string): boolean {
  return text.split('\\').every(one => defined.has(trimValue(one)))
}
