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
import { makeOperating } from '../identity/operator.ts'
import type { Trace } from '../identity/principal.ts'
import { type Arrived, arrive } from './arrive.ts'
import { hasAdministrator } from './enrolment-queries.ts'
import { newFirstEnrolment, tryFirstCode, useFirstCode } from './enrolments.ts'
import { registrationOptions, verifyRegistration } from './passkeys.ts'

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
      const { code } = await newFirstEnrolment(tx, exchange)
      // Whoever was using the code of before held its row: they are seen now, and keep it used.
      if (await hasAdministrator(tx)) throw new Refusal('enrolment-not-needed')
      return code
    })
    .catch(err => {
      if (err instanceof Refusal && err.code === 'enrolment-not-needed') return undefined
      throw err
    })
}

/**
 * Tries the code, once everything else is right, and asks for a passkey. Throws as `tryFirstCode` does, or
 * Refusal `enrolment-not-needed`, to those alone who have the code.
 */
export async function beginFirst(exchange: Exchange, form: FirstForm, code: string) {
  checkForm(form)
  const { createdAt } = await tryFirstCode(exchange, code)
  if (await hasAdministrator(exchange.database.read)) throw new Refusal('enrolment-not-needed')
  const accountId = uuidv7({ msecs: exchange.clock() })
  const details = { accountId, createdAt, form }
  return registrationOptions(exchange, 'first', { accountId, name: form.name }, { details })
}

/**
 * Makes the first administrator, with their organisation, which from now on runs this exchange: whoever
 * reads the console does. Of several with the same code one is made, and none once there is one.
 */
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
    await useFirstCode(tx, exchange, { createdAt })
    // Somebody was enrolled at the machine itself meanwhile: the code ended with that.
    if (await hasAdministrator(tx)) throw new Refusal('enrolment-not-needed')
    // What an operator enrolled before at the machine itself is not enrolled a second time.
    const known =
      organisation.odsCode === null ? undefined : await findOrganisation(tx, organisation.odsCode)
    const organisationId =
      known?.id ?? (await insertOrganisation(tx, exchange, organisation, added))
    const home = { id: organisationId, name: organisation.name }
    await makeOperating(tx, exchange, organisationId, added, true)
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
