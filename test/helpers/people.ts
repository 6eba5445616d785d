import type { Exchange } from '../../src/exchange.ts'
import { addAccount, addClient, addOrganisation, type ClientKey } from '../../src/identity/enrol.ts'
import { makeOperating } from '../../src/identity/operator.ts'

/** One account with the key of the machine that acts for it. */
export interface Person {
  name: string
  /** Where notices to them go. */
  email?: string
  accountId: string
  organisationId: string
  key: ClientKey
}

const GMC = { professionalBody: 'GMC', registrationNumber: '7654321' }
const abroad = (body: string) => ({ professionalBody: body, registrationNumber: 'AB 99-401' })

const organisations = {
  city: { name: 'City Hospital', odsCode: 'RX1', country: 'GB' },
  other: { name: 'Other Trust', odsCode: 'RX2', country: 'GB' },
  royal: { name: 'Royal Review Centre', odsCode: 'RX3', country: 'GB' },
  dublin: { name: 'Dublin Clinic', country: 'IE' },
  boston: { name: 'Boston Clinic', country: 'US' },
  delhi: { name: 'Delhi Institute', country: 'IN' }
}

const roster = {
  /** City Hospital: who uploads and shares in nearly every test, and those around them. */
  clinician: { at: 'city', role: 'clinician', name: 'Dr Alice Kestrel', ...GMC },
  colleague: { at: 'city', role: 'clinician', name: 'Dr Bob Merganser', ...GMC },
  auditor: { at: 'city', role: 'auditor', name: 'Erin Wagtail' },
  administrator: { at: 'city', role: 'administrator', name: 'Gil Fieldfare' },
  /** Another trust, which must never see anything of City Hospital. */
  otherClinician: { at: 'other', role: 'clinician', name: 'Dr Hana Dunnock', ...GMC },
  otherAdministrator: { at: 'other', role: 'administrator', name: 'Moss Wheatear' },
  otherAuditor: { at: 'other', role: 'auditor', name: 'Ivo Siskin' },
  /** Specialists: at home, adequate, conditional, neither. */
  specialistGb: { at: 'royal', role: 'specialist', name: 'Dr Carol Goldcrest', ...GMC },
  specialistIe: {
    at: 'dublin',
    role: 'specialist',
    name: 'Dr Niamh Redstart',
    ...abroad('IMC')
  },
  specialistUs: {
    at: 'boston',
    role: 'specialist',
    name: 'Dr Dan Whimbrel',
    ...abroad('MA BORIM')
  },
  specialistIn: { at: 'delhi', role: 'specialist', name: 'Dr Asha Bulbul', ...abroad('NMC') },
  /** A specialist of the same clinic as `specialistUs` with whom nothing is ever shared. */
  stranger: { at: 'boston', role: 'specialist', name: 'Dr Finn Ouzel', ...abroad('MA BORIM') }
} as const

export type PersonName = keyof typeof roster
export type People = Record<PersonName, Person>

/** Enrols everybody of the roster, the way an operator's scripts do. */
export async function enrolPeople(
  exchange: Pick<Exchange, 'database' | 'audit' | 'clock' | 'serviceKeys'>
): Promise<People> {
  const ids = new Map<string, string>()
  for (const [name, organisation] of Object.entries(organisations)) {
    ids.set(name, await addOrganisation(exchange, organisation))
  }
  // All are enrolled at once, and the organisation of whoever comes first would run the exchange.
  await exchange.database.write(tx =>
    makeOperating(tx, exchange, String(ids.get('city')), { details: { by: 'operator console' } })
  )
  const enrolled = await Promise.all(
    Object.entries(roster).map(async ([who, { at, ...account }]) => {
      const organisationId = String(ids.get(at))
      const email = `${account.name.toLowerCase().replaceAll(/[^a-z]+/g, '.')}@${at}.example`
      const given = { ...account, email, organisation: organisationId }
      const accountId = await addAccount(exchange, given)
      const key = await addClient(exchange, { accountId })
      return [who, { name: account.name, email, accountId, organisationId, key }] as const
    })
  )
  // Stories about time go years ahead; whether somebody is verified is told in test/register.
  await exchange.database.write(async tx => {
    const verifiedUntil = exchange.clock() + 20 * 365 * 86_400_000
    await tx.update(tx.tables.specialists).set({ verifiedUntil })
  })
  return Object.fromEntries(enrolled) as People
}
