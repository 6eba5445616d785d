import t from 'tap'
import type { Safeguard } from '../../schemas/transfer.ts'
import { addAccount, addOrganisation } from '../../src/identity/enrol.ts'
import {
  agreed,
  agreedToTransfer,
  byConsent,
  emergency,
  recordConsent,
  sendWithdrawal
} from '../helpers/consent.ts'
import {
  attestation,
  createCase,
  numberedText,
  PURPOSE,
  type ShareView,
  safeguard,
  startExchange,
  type TestExchange,
  uploadRecord
} from '../helpers/exchange.ts'

/** What the country table says of them, written down a second time. */
const HOME_OR_ADEQUATE = 'GB IE DE FR NO CH NZ FO'.split(' ')
const CONDITIONS = { CA: 'pipeda', JP: 'appi', KR: 'pipa', US: 'dpf-uk-extension' } as const
const NEITHER = (
  'IN BR CN AU SG ZA AE SA QA KW EG TR UA RS AL BA MK MD GE AM TH VN MY ID ' +
  'PH PK BD LK NP KE NG GH TZ UG RW MA TN JO LB IQ MX CL CO PE EC CU HK TW'
).split(' ')
const COUNTRIES = [...HOME_OR_ADEQUATE, ...Object.keys(CONDITIONS), ...NEITHER]

async function specialistsIn(x: TestExchange): Promise<Map<string, string>> {
  const { exchange } = x
  const organisation = await addOrganisation(exchange, { name: 'World Clinic', country: 'CH' })
  const enrolled = COUNTRIES.map(async (country, n) => {
    const accountId = await addAccount(exchange, {
      organisation,
      country,
      role: 'specialist',
      name: `Dr Number ${n}`,
      professionalBody: 'Board',
      registrationNumber: `B ${n}`
    })
    return [country, accountId] as const
  })
  return new Map(await Promise.all(enrolled))
}

t.test('two hundred shares of one case in sixty countries, row by row', async t => {
  t.equal(new Set(COUNTRIES).size, 60)
  const x = await startExchange(t)
  const clinician = x.client('clinician')
  const specialists = await specialistsIn(x)
  const { id: caseId } = await createCase(clinician)
  const record = await uploadRecord(clinician, caseId, { files: [numberedText(100)] })
  const now = x.clock.now()
  const agreement = await recordConsent(clinician, caseId, agreed(now))

  const made = new Map<string, { country: string; basis: string }>()
  const attempt = async (country: string, given: Safeguard | undefined, told: string) => {
    const answer = await clinician.send('POST', `/v1/cases/${caseId}/shares`, {
      specialist: specialists.get(country),
      records: [record.id],
      purpose: PURPOSE,
      ...(given && { safeguard: given })
    })
    const label = `${country} with ${given?.type ?? 'nothing'}`
    if (told.startsWith('transfer-')) t.equal(answer.json.code, told, label)
    else if (answer.status !== 201) t.fail(`${label}: ${answer.text}`)
    else made.set(String(answer.json.id), { country, basis: told })
  }
  for (const country of COUNTRIES) {
    const consent = await recordConsent(clinician, caseId, agreedToTransfer(now, country))
    const condition = CONDITIONS[country as keyof typeof CONDITIONS]
    const own =
      country === 'GB' ? 'uk' : HOME_OR_ADEQUATE.includes(country) ? 'adequacy' : undefined
    const attested = attestation(now, condition && { condition })
    await attempt(country, undefined, own ?? 'transfer-safeguard-required')
    await attempt(
      country,
      attested,
      own ?? (condition ? 'adequacy-condition' : 'transfer-safeguard-unfit')
    )
    await attempt(country, safeguard(now), own ?? 'idta')
    await attempt(country, byConsent(consent.id), own ?? 'explicit-consent')
    await attempt(country, emergency(now), own ?? 'vital-interests')
  }
  t.equal(made.size, 200)

  const { shares }: { shares: ShareView[] } = await clinician.json(
    'GET',
    `/v1/shares?case=${caseId}&limit=200`
  )
  t.same(
    new Map(
      shares.map(({ id, transfer }) => [id, { country: transfer?.country, basis: transfer?.basis }])
    ),
    made,
    'every row is as the table says'
  )
  t.ok(shares.every(({ consent }) => consent?.id === agreement.id))

  const { json } = await sendWithdrawal(clinician, caseId, agreement.id)
  t.same(new Set(json.withdrawnShares as string[]), new Set(made.keys()), 'and one no ends all')
})
