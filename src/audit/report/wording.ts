import type {
  Disclosure,
  DisclosureReport,
  ReportedEnding,
  ReportedRecord,
  ReportedShare
} from '../../../schemas/disclosure-report.ts'

// The report in plain English, for the patient.

const countryNames = new Intl.DisplayNames('en-GB', { type: 'region', fallback: 'code' })
const numbers = new Intl.NumberFormat('en-GB')
const days = new Intl.DateTimeFormat('en-GB', {
  day: 'numeric',
  month: 'long',
  year: 'numeric',
  timeZone: 'UTC'
})

export const count = (n: number, one: string, many = `${one}s`): string =>
  `${numbers.format(n)} ${n === 1 ? one : many}`

export const countryName = (code: string): string =>
  /^[A-Z]{2}$/.test(code) ? (countryNames.of(code) ?? code) : code

type Reader = DisclosureReport['shares'][number]['specialist']

export function readerText(reader: Reader | undefined): string {
  if (reader === undefined) return 'somebody who was not signed in'
  const { name = `account ${reader.id}`, organisation, country } = reader
  const place = [organisation?.name, country && countryName(country)].filter(Boolean)
  // A sign by itself between them: a comma would go over to a name that is read from the right.
  return [name, ...place].join(' · ')
}

const kinds: Record<ReportedRecord['kind'], string> = {
  scan: 'Scan',
  'pathology-report': 'Pathology report',
  'pathology-slide': 'Pathology slide',
  letter: 'Letter',
  referral: 'Referral',
  'lab-result': 'Laboratory result',
  'treatment-plan': 'Treatment plan',
  opinion: 'Second opinion',
  'opinion-addendum': 'Addendum to a second opinion',
  'opinion-attachment': 'Attachment of a second opinion',
  other: 'Document'
}

export function recordText({ kind, title, date }: ReportedRecord): string {
  if (title === undefined || date === undefined) return `${kinds[kind]}, erased since`
  return `${kinds[kind]} “${title}”, dated ${dateText(date)}`
}

/** A date without a time: 17 March 1951. */
export function dateText(date: string): string {
  return days.format(Date.parse(`${date}T00:00:00Z`))
}

/** An NHS number is written in groups of three, three and four. */
export function identifierText(identifier: { system: string; value: string }): string {
  const { system, value } = identifier
  const [, a, b, c] = /^(\d{3})(\d{3})(\d{4})$/.exec(value) ?? []
  if (system.endsWith('/nhs-number') && a !== undefined) return `NHS number ${a} ${b} ${c}`
  return `${value} (${system})`
}

export function whatText(what: Disclosure['what']): string {
  if (!what.pseudonymised) return plainText(what)
  if (what.kind === 'summary') {
    return 'Opened the link: saw what is asked and the list of records, without the patient’s details'
  }
  if (what.kind === 'file-list') {
    return 'Saw what is asked, and names and sizes of all files of the shared records, without the patient’s details'
  }
  return `${plainText(what)} (a copy without the patient’s name)`
}

function plainText({ kind, record, files, file, range }: Disclosure['what']): string {
  const title = record === undefined ? 'A record that is no longer held' : recordText(record)
  const name = file?.name === undefined ? 'one file' : `file “${file.name}”`
  switch (kind) {
    case 'summary':
      return 'Opened the link: saw the patient’s details, what is asked and the list of records'
    case 'file-list':
      return 'Saw the patient’s details, what is asked, and names and sizes of all files of the shared records'
    case 'record':
      return `${title}: all ${count(files ?? 0, 'file')}`
    case 'file':
      return `${title}: ${name}, whole`
    case 'part-of-file': {
      const { first, last } = range ?? { first: 0, last: 0 }
      const [from, to] = [first + 1, last + 1].map(n => numbers.format(n))
      return `${title}: ${name}, part: bytes ${from} to ${to} of ${numbers.format(file?.bytes ?? 0)}`
    }
    case 'properties':
      return `${title}: asked for type and size only`
  }
}

export function addressText({ address, erased, damaged }: Disclosure): string {
  if (damaged) return 'cannot be told: somebody has changed the details of this event'
  if (erased) return 'erased from the log by order'
  return address === undefined ? 'not known' : `network address ${address}`
}

const endings: Record<ReportedEnding['state'], string> = {
  complete: 'Complete.',
  aborted: 'Broken off at the reader’s end.',
  failed: 'Broken off by a fault.',
  revoked: 'Cut off, because the permission was withdrawn.',
  expired: 'Cut off, because the permission had run out.',
  stopped: 'Cut off, because the service was stopped.',
  interrupted: 'Broken off when the service failed. How much had left is not known.',
  'under-way': 'Still under way when this report was made.'
}

export function endingText({ state, bytes }: ReportedEnding): string {
  if (bytes === undefined) return endings[state]
  return `${endings[state]} ${count(bytes, 'byte')} handed to the network.`
}

const bases: Record<string, string> = {
  uk: 'within the United Kingdom',
  adequacy: 'the United Kingdom regards the protection of data there as adequate',
  'adequacy-condition': 'adequate on a condition that the recipient meets',
  idta: 'international data transfer agreement',
  addendum: 'UK addendum to the standard contractual clauses',
  'explicit-consent': 'the patient’s explicit consent',
  'vital-interests': 'the patient’s vital interests, in an emergency'
}

/** Why the records may go where the specialist works. */
export function transferText(transfer: NonNullable<ReportedShare['transfer']>) {
  const { country, basis, listAsOf, safeguard } = transfer
  const where = `${countryName(country)}: ${bases[basis] ?? basis}`
  if (safeguard === undefined) return `${where} (list of ${dateText(listAsOf)})`
  const { reference, date, expires, approver } = safeguard
  const parts = [
    reference !== undefined && `“${reference}”`,
    approver && `approved by ${approver.name}, ${approver.post}`,
    date !== undefined && `of ${dateText(date)}`
  ].filter(Boolean)
  const what = parts.length === 0 ? where : `${where}, ${parts.join(' ')}`
  return expires === undefined ? what : `${what}, holds until ${dateText(expires)}`
}
