import { hash } from 'node:crypto'
import { setImmediate as breathe } from 'node:timers/promises'
import { londonTime } from '../audit/report/london.ts'
import { openSheet, type Sheet } from '../audit/report/sheet.ts'
import { dateText, identifierText } from '../audit/report/wording.ts'
import type { SignedAddendum, SignedOpinion } from './opinion.ts'
import * as say from './wording.ts'

/** Digests printed of one record. The signed form has all of them. */
const DIGESTS_PRINTED_MAX = 20

/** How a document was signed. */
export interface Signed {
  jws: string
  keyId: string
}

/** A submitted opinion on paper: everything that was signed, in the words of the specialist. */
export async function opinionAsPdf(content: SignedOpinion, signed: Signed): Promise<Buffer> {
  const { opinion, asked, specialist, at } = content
  const sheet = await openSheet({
    title: 'Second opinion',
    author: specialist.name,
    createdAt: new Date(at),
    running: `Second opinion of ${specialist.name}, continued`,
    footer: `Consilium · second opinion · share ${content.share}`
  })
  sheet.heading(1, 'Second opinion')
  writePatient(sheet, content.patient)
  sheet.fact('Asked by', `${asked.by.clinician}, ${asked.by.organisation}`)
  sheet.fact('Given by', say.reviewerText(specialist))
  sheet.fact('Submitted', `${londonTime(Date.parse(at))} (${at})`)
  sheet.fact('Case', content.case)
  if (asked.condition !== undefined) sheet.fact('Condition', asked.condition)
  const answers = new Map(opinion.answers.map(answer => [answer.number, answer]))
  for (const { number, text } of asked.questions) {
    sheet.heading(2, `Question ${number}`)
    sheet.prose(text)
    sheet.heading(3, 'Answer')
    const answer = answers.get(number)
    sheet.prose(answer === undefined ? 'None.' : say.answerText(answer))
    // A long opinion takes a second to lay out, and others are served meanwhile.
    await breathe()
  }
  writeJudgement(sheet, 'Agreement with the diagnosis', asked.diagnosis, opinion.diagnosis)
  writeJudgement(sheet, 'Agreement with the plan', asked.plan, opinion.plan)
  writePart(sheet, 'Recommendations', opinion.recommendations)
  writePart(sheet, 'Further tests', opinion.furtherTests)
  writePart(sheet, 'Limits of this review', opinion.limits)
  writeAttachments(sheet, content.attachments)
  await breathe()
  await writeReviewed(sheet, content.reviewed)
  writeSignature(sheet, content.iss, signed)
  return finished(sheet)
}

/** The same of an addendum. */
export async function addendumAsPdf(content: SignedAddendum, signed: Signed): Promise<Buffer> {
  const { specialist, at, number } = content
  const title = `Addendum ${number} to a second opinion`
  const sheet = await openSheet({
    title,
    author: specialist.name,
    createdAt: new Date(at),
    running: `${title}, continued`,
    footer: `Consilium · addendum ${number} · share ${content.share}`
  })
  sheet.heading(1, title)
  sheet.fact('Given by', say.reviewerText(specialist))
  sheet.fact('Submitted', `${londonTime(Date.parse(at))} (${at})`)
  sheet.fact('Case', content.case)
  sheet.fact('Opinion', `SHA-256 of its signed form: ${content.opinion}`, 'small')
  writePart(sheet, 'Added', content.text)
  writeSignature(sheet, content.iss, signed)
  return finished(sheet)
}

function writePatient(sheet: Sheet, patient: SignedOpinion['patient']): void {
  if ('pseudonym' in patient) {
    sheet.fact(
      'Patient',
      `${patient.pseudonym} (a pseudonym: the specialist was not told the name)`
    )
    return
  }
  sheet.fact('Patient', patient.name)
  sheet.fact('Born', dateText(patient.birthDate))
  sheet.fact('Number', identifierText(patient.identifier))
}

function writeJudgement(
  sheet: Sheet,
  title: string,
  about: string | undefined,
  judgement: SignedOpinion['opinion']['diagnosis']
): void {
  if (judgement === undefined) return
  const { agreement, comment = '' } = judgement
  sheet.heading(2, title)
  if (about !== undefined) sheet.prose(`Asked about: ${about}`)
  sheet.prose(`${say.agreementText[agreement]} ${comment}`)
}

function writePart(sheet: Sheet, title: string, text: string | undefined): void {
  if (text === undefined) return
  sheet.heading(2, title)
  sheet.prose(text)
}

function writeAttachments(sheet: Sheet, attachments: SignedOpinion['attachments']): void {
  if (attachments.length === 0) return
  sheet.heading(2, 'Attachments')
  for (const { title, date, files, sha256 } of attachments) {
    const count = `${files} ${files === 1 ? 'file' : 'files'}`
    sheet.fact('Record', `“${title}”, dated ${dateText(date)}, ${count}`)
    sheet.fact('', sha256, 'small')
  }
}

async function writeReviewed(sheet: Sheet, reviewed: SignedOpinion['reviewed']): Promise<void> {
  sheet.heading(2, 'What was reviewed')
  sheet.paragraph(
    'How much was handed over is what this service sent to the specialist before the opinion was ' +
      'submitted. Each digest is SHA-256: that of a record is over the digests of its files.'
  )
  for (const record of reviewed) {
    await breathe()
    sheet.fact('Record', say.recordText(record))
    sheet.fact('', record.sha256, 'small')
    const { objects = [] } = record
    if (objects.length > DIGESTS_PRINTED_MAX) continue
    for (const { sha256, handedOver } of objects) {
      sheet.fact('File', `${sha256} · handed over: ${handedOver}`, 'small')
    }
  }
}

function writeSignature(sheet: Sheet, issuer: string, { jws, keyId }: Signed): void {
  sheet.heading(2, 'Signature')
  sheet.paragraph(
    `This page was made from a form that the service at ${issuer} has signed (JWS, RFC 7515; EdDSA). ` +
      'Whoever has the signed form can check it with the public keys of the service.'
  )
  sheet.fact('Public keys', `${issuer}/.well-known/jwks.json`)
  sheet.fact('Key', keyId)
  sheet.fact('SHA-256', `${hash('sha256', jws, 'hex')} of the signed form`, 'small')
  sheet.fact('Signature', jws.split('.').at(-1) ?? '', 'small')
}

function finished(sheet: Sheet): Buffer {
  sheet.last(pages => `This is the end. It has ${pages} ${pages === 1 ? 'page' : 'pages'}.`)
  sheet.end()
  return Buffer.concat(sheet.take())
}
