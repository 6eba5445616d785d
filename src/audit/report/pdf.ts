import { setImmediate as breathe } from 'node:timers/promises'
import type {
  Disclosure,
  DisclosureReport,
  ReportedShare
} from '../../../schemas/disclosure-report.ts'
import { openSheet, type Sheet } from './sheet.ts'
import * as say from './wording.ts'

/** Room for a whole entry, so that it begins on the page it ends on. */
const ENTRY_POINTS = 90

/**
 * The report as a PDF, page by page: no more than a page is made before it is wanted, and other
 * requests are served in between.
 */
export async function* reportAsPdf(report: DisclosureReport): AsyncGenerator<Buffer> {
  const { organisation, id, madeAt } = report
  const sheet = await openSheet({
    title: `Who saw these records: disclosure report of ${organisation.name}`,
    author: organisation.name,
    createdAt: new Date(madeAt),
    running: `Who saw these records · disclosure report of ${organisation.name}, continued`,
    footer: `Consilium · disclosure report ${id}`
  })
  const numbers = new Map(report.shares.map((share, at) => [share.id, at + 1]))

  writeHead(sheet, report)
  sheet.heading(2, 'Who was given permission')
  if (report.shares.length === 0) sheet.paragraph('Nobody, in this period.')
  for (const [at, share] of report.shares.entries()) {
    writeShare(sheet, share, at + 1)
    yield* ready(sheet)
  }
  sheet.heading(2, 'Who opened the records')
  if (report.disclosures.length === 0) sheet.paragraph('Nobody, in this period.')
  for (const [at, disclosure] of report.disclosures.entries()) {
    writeDisclosure(sheet, disclosure, at + 1, numbers, organisation.name)
    yield* ready(sheet)
  }
  writeRefused(sheet, report)
  writeLimits(sheet, report)
  writeProof(sheet, report)
  sheet.last(pages => `This is the end of the report. It has ${say.count(pages, 'page')}.`)
  sheet.end()
  yield* sheet.take()
}

async function* ready(sheet: Sheet): AsyncGenerator<Buffer> {
  const bytes = sheet.take()
  if (bytes.length === 0) return
  yield* bytes
  await breathe()
}

function writeHead(sheet: Sheet, report: DisclosureReport): void {
  const { about, patients, organisation, period, madeBy } = report
  sheet.heading(1, 'Who saw these records')
  for (const { name, birthDate, identifier } of patients) {
    sheet.fact('Patient', name)
    sheet.fact('Born', say.dateText(birthDate))
    sheet.fact('Number', say.identifierText(identifier))
  }
  if (patients.length === 0 && about.patient) {
    sheet.fact('Number', say.identifierText(about.patient))
  }
  if (about.case) sheet.fact('Case', `${about.case} only; other cases of the patient are not told`)
  for (const id of report.erasedCases ?? []) {
    sheet.fact('Erased', `case ${id}: names are gone; who saw it is on the log, and told here`)
  }
  const { name, odsCode } = organisation
  sheet.fact('Held by', odsCode === undefined ? name : `${name} (NHS organisation ${odsCode})`)
  const { from = 'the beginning', to } = period.london
  sheet.fact('Period', `from ${from} to ${to}`)
  const auditor = madeBy.name ?? `account ${madeBy.id}`
  sheet.fact('Made', `${report.madeLondon}, by ${auditor}, for ${name}`)
  sheet.fact('Report number', report.id)
  sheet.gap()
  sheet.paragraph(summaryOf(report))
}

function summaryOf({ disclosures, refused }: DisclosureReport): string {
  const tried = refused.total === 0 ? '' : ` Refused attempts: ${refused.total}.`
  if (disclosures.length === 0) return `In this period nothing was disclosed.${tried}`
  const people = new Set(disclosures.map(({ reader }) => reader?.id)).size
  const countries = new Set(disclosures.flatMap(({ reader }) => reader?.country ?? []))
  const where = [...countries].map(say.countryName).join(', ')
  const times = say.count(disclosures.length, 'time')
  const who = say.count(people, 'person', 'people')
  return `In this period something was opened ${times}, by ${who} (${where}).${tried}`
}

function writeShare(sheet: Sheet, share: ReportedShare, number: number): void {
  const { specialist, validLondon, withdrawn, entry } = share
  sheet.heading(3, `Permission ${number}`, ENTRY_POINTS)
  sheet.fact('For', say.readerText(specialist))
  sheet.fact('Purpose', share.purpose === undefined ? 'erased' : `“${share.purpose}”`)
  sheet.fact(
    'Given',
    `${share.madeLondon}, by ${share.madeBy.name ?? `account ${share.madeBy.id}`}`
  )
  sheet.fact('Valid', `from ${validLondon.from} to ${validLondon.to}`)
  if (withdrawn !== undefined) {
    const { london, by, entry } = withdrawn
    sheet.fact('Withdrawn', `${london}, by ${by.name ?? `account ${by.id}`}`)
    writeEntry(sheet, 'Proof of that', [], entry)
  }
  sheet.fact('Transfer', share.transfer ? say.transferText(share.transfer) : 'erased')
  for (const record of share.records) sheet.fact('Record', say.recordText(record))
  sheet.fact('Share', share.id, 'small')
  writeEntry(sheet, 'Proof', [], entry)
}

function writeDisclosure(
  sheet: Sheet,
  line: Disclosure,
  number: number,
  shares: Map<string, number>,
  holder: string
): void {
  const { share, ending } = line
  sheet.heading(3, `${number}.  ${line.london}`, ENTRY_POINTS)
  sheet.fact('Who', say.readerText(line.reader))
  sheet.fact('What', say.whatText(line.what))
  const permission = share === undefined ? undefined : shares.get(share)
  sheet.fact(
    'Permission',
    share === undefined
      ? `none needed: staff of ${holder}, who hold the records`
      : permission === undefined
        ? `share ${share}`
        : `permission ${permission} above`
  )
  sheet.fact('From', say.addressText(line))
  sheet.fact('Ended', say.endingText(ending))
  writeEntry(sheet, 'Proof', [line.at.replace('T', ' ').replace('Z', ' UTC')], line)
  if (ending.entry) writeEntry(sheet, 'Proof of end', [], ending.entry)
}

/** Where the log says so. */
function writeEntry(
  sheet: Sheet,
  label: string,
  before: string[],
  entry: { index: number; event: string } | undefined
): void {
  const where = entry === undefined ? [] : [`log entry ${entry.index}`, `event ${entry.event}`]
  const parts = [...before, ...where]
  if (parts.length > 0) sheet.fact(label, parts.join(' · '), 'small')
}

function writeRefused(sheet: Sheet, { refused }: DisclosureReport): void {
  sheet.heading(2, 'Attempts that were refused')
  if (refused.total === 0) {
    sheet.paragraph('None.')
    return
  }
  sheet.paragraph('Whoever tried got to see nothing. They were told:')
  for (const { title, count } of refused.reasons) sheet.fact(say.count(count, 'time'), `“${title}”`)
}

function writeLimits(sheet: Sheet, { organisation }: DisclosureReport): void {
  sheet.heading(2, 'How to read this report')
  sheet.paragraph(
    'Bytes are what this service handed to the network. That does not prove that they arrived, or ' +
      'that anybody read them; more than that was never sent.'
  )
  sheet.paragraph(
    `The report tells what ${organisation.name} holds in this service. Not told here: work of its ` +
      'own staff on a case in which no file was opened, and what other organisations or other ' +
      'systems hold.'
  )
  sheet.paragraph(
    'A letter or sign that this page cannot show is given by its number in Unicode, as in [U+200B].'
  )
}

function writeProof(sheet: Sheet, { log }: DisclosureReport): void {
  sheet.heading(2, 'How to check this report')
  sheet.paragraph(
    'Everything above is in a log that nobody can change afterwards without it being noticed. An ' +
      'entry of the log says when something happened, of what kind, and by which share; who it was ' +
      'is sealed in it, so that anyone may read the log, without an account.'
  )
  sheet.fact('Proofs', log.proofs)
  sheet.fact(
    'Check them',
    'npm run verify-audit of Consilium, or any tool for C2SP tlog-proof files'
  )
  sheet.fact('Signed log', `${say.count(log.size, 'entry', 'entries')}, as this report was made:`)
  sheet.verbatim(log.checkpoint)
  sheet.fact('Its keys', 'which made that signature:')
  sheet.verbatim(log.keys.join('\n'))
}
