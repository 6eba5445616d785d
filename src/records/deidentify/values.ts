/** DICOM PS3.5, section 6.2: dates, ages and what stands for a value that must not be told. */

const DAY_MILLISECONDS = 86_400_000
const AGE_YEARS_MAX = 89
const DUMMY_DATE = '19000101'

/** A value of the right form that says nothing, for each value representation. */
const dummies: Record<string, string> = {
  AS: '000Y',
  CS: 'REMOVED',
  DA: DUMMY_DATE,
  DS: '0',
  DT: DUMMY_DATE,
  IS: '0',
  TM: '000000',
  UR: 'urn:removed'
}

/** Zeros of the length of the original where the value is binary. */
export function dummyValue(representation: string, isText: boolean): Buffer {
  return isText ? Buffer.from(dummies[representation] ?? 'REMOVED') : Buffer.alloc(0)
}

const TIME = '([01]\\d|2[0-3])(:?[0-5]\\d(:?[0-6]\\d(\\.\\d{1,6})?)?)?'
/** A time of day, or a range of them: no other number that somebody put there. */
const TIMES = new RegExp(`^(${TIME})?(-(${TIME})?)?$`)

/**
 * Dates, times and date-times of one element, shifted by this many days: one or several values, with
 * ranges where they are dates. Undefined when any is not what it should be.
 */
export function shiftTemporal(
  text: string,
  representation: string,
  days: number
): string | undefined {
  const parts = text.split('\\').map(part => shiftOne(trimValue(part), representation, days))
  return parts.includes(undefined) ? undefined : parts.join('\\')
}

function shiftOne(text: string, representation: string, days: number): string | undefined {
  if (text === '') return ''
  switch (representation) {
    case 'DA':
      return shiftRange(text, days, shiftDate)
    case 'DT':
      return shiftRange(text, days, shiftDateTime)
    case 'TM':
      // Times of day stay. Colons are how they were written before DICOM.
      return TIMES.test(text) ? text : undefined
    case 'SH':
      return /^[+-]\d{4}$/.test(text) ? text : undefined
    default:
      return undefined
  }
}

/** One value, or a range of them with either end open. */
function shiftRange(
  text: string,
  days: number,
  shift: (text: string, days: number) => string | undefined
): string | undefined {
  const whole = shift(text, days)
  if (whole !== undefined) return whole
  for (let at = text.indexOf('-'); at >= 0; at = text.indexOf('-', at + 1)) {
    const ends = [text.slice(0, at), text.slice(at + 1)].map(end =>
      end === '' ? '' : shift(end, days)
    )
    if (!ends.includes(undefined) && ends.join('') !== '') return ends.join('-')
  }
  return undefined
}

/** YYYYMMDD, or YYYY.MM.DD as it was before 1993. */
function shiftDate(text: string, days: number): string | undefined {
  const [, year, month, day] = /^(\d{4})\.?(\d{2})\.?(\d{2})$/.exec(text) ?? []
  return year && month && day ? shifted(year, month, day, days) : undefined
}

/** What is missing of a date-time stays missing: a year alone is shifted from its middle. */
function shiftDateTime(text: string, days: number): string | undefined {
  const found = /^(\d{4})(\d{2})?(\d{2})?((?:\d{2}){0,3}(?:\.\d{1,6})?)([+-]\d{4})?$/.exec(text)
  if (found === null) return undefined
  const [, year = '', month, day, time = '', offset = ''] = found
  const date = shifted(year, month ?? '07', day ?? (month ? '15' : '01'), days)
  return date?.slice(0, 4 + (month ? 2 : 0) + (day ? 2 : 0)).concat(time, offset)
}

function shifted(year: string, month: string, day: string, days: number): string | undefined {
  const from = new Date(0)
  from.setUTCFullYear(Number(year), Number(month) - 1, Number(day))
  if (from.getUTCMonth() + 1 !== Number(month) || from.getUTCDate() !== Number(day)) {
    return undefined
  }
  const to = new Date(from.getTime() + days * DAY_MILLISECONDS)
  if (to.getUTCFullYear() < 1) return undefined
  return to.toISOString().slice(0, 10).replaceAll('-', '')
}

/**
 * An age as it may stay: above 89 years people are so few that their age would tell them apart, so all
 * of those are of 90. Undefined when it is no age.
 */
export function keptAge(text: string): string | undefined {
  const [, number, unit] = /^(\d{3})([DWMY])$/.exec(trimValue(text)) ?? []
  if (number === undefined || unit === undefined) return undefined
  return unit === 'Y' && Number(number) > AGE_YEARS_MAX ? '090Y' : `${number}${unit}`
}

/** The age in whole years on the day of the study; undefined when either is no date. */
export function ageAt(birthDate: string, studyDate: string): string | undefined {
  const [birth, study] = [birthDate, studyDate].map(text => shiftDate(trimValue(text), 0))
  if (!birth || !study) return undefined
  const beforeBirthday = study.slice(4) < birth.slice(4) ? 1 : 0
  const years = Number(study.slice(0, 4)) - Number(birth.slice(0, 4)) - beforeBirthday
  if (years < 0 || years > 150) return undefined
  return keptAge(`${String(years).padStart(3, '0')}Y`)
}

/** Without the padding that makes values even. */
export function trimValue(text: string): string {
  let [start, end] = [0, text.length]
  while (end > start && (text[end - 1] === ' ' || text[end - 1] === '\0')) end -= 1
  while (start < end && text[start] === ' ') start += 1
  return text.slice(start, end)
}
