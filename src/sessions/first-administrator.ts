import { v7 as uuidv7 } from 'uuid'
import { Refusal } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import { checkAccount, checkOrganisation } from '../identity/enrolment-rules.ts'
import {
  findOrganisation,
  insertAccount,
  insertOrganisation,
  invalid
} from '../identity/insert-account.ts'
import type { Trace } from '../identity/principal.ts'
import { type Arrived, arrive } from './arrive.ts'
import { hasAdministrator } from './enrolment-queries.ts'
import { newEnrolment, tryCode, useCode } from './enrolments.ts'
import { registrationOptions, verifyRegistration } from './passkeys.ts'

/** The one row of its kind: a code of a later start takes the place of the one before. */
const FIRST = 'first'

/** What the first administrator says of themselves and of their organisation. */
export interface FirstForm {
  organisation: string
  odsCode: string
  country: string
  timeZone: string
  name: string
}

/**
 * The code with which somebody becomes the first administrator, for the console alone, or undefined when
 * there is one who can sign in. Each start makes a new one. If the process stops before it is printed,
 * nobody knows it, and the next start makes another.
 */
export async function firstAdministratorCode(exchange: Exchange): Promise<string | undefined> {
  if (await hasAdministrator(exchange.database.read)) return undefined
  return exchange.database
    .write(async tx => {
      const { code } = await newEnrolment(tx, exchange, { id: FIRST })
      // Whoever was using the code of before held its row: they are seen now, and keep it used.
      if (await hasAdministrator(tx)) throw new Refusal('enrolment-not-needed')
      return code
    })
    .catch(err => {
      if (err instanceof Refusal && err.code === 'enrolment-not-needed') return undefined
      throw err
    })
}

/** Tries the code, once everything else is right, and asks for a passkey. Throws as `tryCode` does. */
export async function beginFirst(exchange: Exchange, form: FirstForm, code: string) {
  checkForm(form)
  const { createdAt } = await tryCode(exchange, FIRST, code)
  const accountId = uuidv7({ msecs: exchange.clock() })
  const details = { accountId, createdAt, form }
  return registrationOptions(exchange, 'first', { accountId, name: form.name }, { details })
}

/** Makes the first administrator, with their organisation. Of several with the same code one is made. */
export async function finishFirst(
  exchange: Exchange,
  trace: Trace,
  answer: string
): Promise<Arrived> {
  exchange.logGuard.requireLog()
  const { passkey, ceremony } = await verifyRegistration(exchange, 'first', answer)
  const {
    accountId: id,
    createdAt,
    form
  } = ceremony.details as {
    accountId: string
    createdAt: number
    form: FirstForm
  }
  const { organisation, account } = checkForm(form)
  const added = { details: { by: 'code of the operator console' } }
  return exchange.database.write(async tx => {
    await useCode(tx, exchange, { id: FIRST, createdAt })
    // What an operator enrolled before at the machine itself is not enrolled a second time.
    const known =
      organisation.odsCode === null ? undefined : await findOrganisation(tx, organisation.odsCode)
    const organisationId =
      known?.id ?? (await insertOrganisation(tx, exchange, organisation, added))
    const home = { id: organisationId, name: organisation.name }
    await insertAccount(tx, exchange, { id, organisation: home, ...account }, added)
    const { address, ...request } = trace
    await exchange.audit.append(tx, {
      action: 'enrolment.use',
      outcome: 'success',
      organisationId,
      actorId: id,
      actorOrganisationId: organisationId,
      details: { address, ...request, account: id, ...added.details }
    })
    return arrive(tx, exchange, { id, organisationId }, passkey, trace)
  })
}

/** Throws Refusal `request-invalid` with every problem. */
function checkForm({ organisation: name, name: person, odsCode, country, timeZone }: FirstForm) {
  const organisation = checkOrganisation({ name, odsCode, country, timeZone })
  const account = checkAccount({ role: 'administrator', name: person }, country)
  const problems = [organisation, account].flatMap(checked =>
    'problems' in checked ? checked.problems : []
  )
  if ('problems' in organisation || 'problems' in account) throw invalid([...new Set(problems)])
  return { organisation: organisation.value, account: account.value }
}
