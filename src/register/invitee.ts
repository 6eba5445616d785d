import {
  type CodeChannel,
  codeChannels,
  type InvitationCreate,
  type InvitationResend
} from '../../schemas/invitation.ts'
import { isNhsNumber } from '../cases/patient.ts'
import { oneAtATime, type Queries } from '../database/database.ts'
import { Refusal } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import { readEmailAddress } from '../identity/email-address.ts'
import type { Caller } from '../identity/principal.ts'
import { type EntryRow, emailRef } from './entry.ts'
import { entriesByEmail, findEntry } from './queries.ts'
import { type CheckedEntry, checkEntry } from './rules.ts'
import { actOf, addEntry } from './write-entry.ts'

type Person = { specialist: string } | { checked: CheckedEntry; email: string }

/** Whom to invite: an entry, or somebody the register may not have. */
export function personOf(wanted: InvitationCreate): Person {
  const { specialist, name, email, country, specialty, organisation } = wanted
  const given = { name, email, country, specialty, organisation }
  const missing = Object.entries(given).filter(([, value]) => value === undefined)
  if (specialist !== undefined) {
    if (missing.length === Object.keys(given).length) return { specialist }
    const problems = ['Give specialist alone, or what is known about them.']
    throw new Refusal('request-invalid', undefined, { problems })
  }
  const problems = missing.map(([field]) => `${field} is missing.`)
  if (problems.length > 0 || email === undefined) {
    throw new Refusal('request-invalid', undefined, { problems })
  }
  const checked = checkEntry({
    name: name ?? '',
    email,
    country: country ?? '',
    organisation: organisation ?? '',
    specialty: specialty ?? '',
    languages: []
  })
  if ('value' in checked) {
    return { checked: checked.value, email: checked.value.details.email ?? email }
  }
  const texts = checked.problems.map(problem => problem.text)
  throw new Refusal('request-invalid', undefined, { problems: texts })
}

/** The entry of a person: the one that was named, or has their address, or a new one. */
export async function entryFor(
  tx: Queries,
  exchange: Exchange,
  caller: Caller,
  person: Person
): Promise<EntryRow> {
  if ('specialist' in person) {
    const [row] = await findEntry(tx, { id: person.specialist })
    if (row === undefined) throw new Refusal('specialist-entry-not-found')
    if (row.accountId !== null) throw new Refusal('invitation-not-needed')
    return row
  }
  const ref = emailRef(exchange.serviceKeys.lookup, person.email)
  // Of two who invite the same person at once the second finds the entry that the first has made.
  await oneAtATime(tx, `invitee ${ref.toString('hex')}`)
  const known = await entriesByEmail(tx, ref)
  if (known.some(row => row.accountId !== null)) throw new Refusal('invitation-not-needed')
  return known[0] ?? (await addEntry(tx, exchange, actOf(caller), person.checked))
}

/**
 * NIST SP 800-63B: what arrives by e-mail proves nothing that the mail with the link has not proved
 * already. So no e-mail for the code, and nothing that is the address of the link.
 */
export function requireOtherWay(
  { codeChannel, codeAddress }: InvitationResend,
  email: string
): CodeChannel {
  const channel = codeChannels.find(name => name === codeChannel)
  const isMail = codeAddress !== undefined && readEmailAddress(codeAddress) !== undefined
  const isSame = codeAddress !== undefined && bareAddress(codeAddress) === bareAddress(email)
  if (channel === undefined || isMail || isSame) throw new Refusal('invitation-same-channel')
  return channel
}

/** Without case, blanks and what mail servers take for a label (name+label@host). */
const bareAddress = (text: string): string =>
  text
    .trim()
    .toLowerCase()
    .replace(/\+[^@]*@/, '@')

/** What can be recognised of a patient by its form: the message is for a person nobody verified yet. */
export function requireNoPatient(message: string | undefined): void {
  if (message === undefined) return
  const digits = message.matchAll(/(?<!\d)\d(?:[\s-]?\d){9}(?!\d)/g)
  const hasNumber = [...digits].some(([text]) => isNhsNumber(text.replace(/[\s-]/g, '')))
  const hasBirthDate = /\b(d\.?o\.?b\.?|born|date of birth)\b[^\n]{0,20}\d/i.test(message)
  if (hasNumber || hasBirthDate) throw new Refusal('invitation-names-patient')
}
