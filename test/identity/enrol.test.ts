import t from 'tap'
import { Refusal, type RefusalCode } from '../../src/errors.ts'
import { addAccount, addClient, addOrganisation, disableAccount } from '../../src/identity/enrol.ts'
import { openProfile } from '../../src/identity/profile.ts'
import { openTestData, readEvents, type TestData } from '../helpers/data.ts'

const HOSPITAL = { name: 'St Example', odsCode: 'RJ122', country: 'GB' }
const CLINICIAN = {
  organisation: 'RJ122',
  role: 'clinician',
  name: 'Dr Ada Example',
  professionalBody: 'GMC',
  registrationNumber: '1234567'
}

/** What is wrong with the request, sentence by sentence. */
async function problems(work: Promise<unknown>): Promise<string[]> {
  const err: unknown = await work.then(() => undefined).catch(err => err)
  return err instanceof Refusal && err.code === 'request-invalid' ? (err.extra.problems ?? []) : []
}

async function code(work: Promise<unknown>): Promise<RefusalCode | undefined> {
  const err: unknown = await work.then(() => undefined).catch(err => err)
  return err instanceof Refusal ? err.code : undefined
}

/** The latest event of its kind. */
async function lastEvent(data: TestData, action: string) {
  return (await readEvents(data)).findLast(event => event.action === action)
}

async function accountRow(data: TestData, id: string) {
  const rows = await data.database.read.select().from(data.database.read.tables.accounts)
  const row = rows.find(account => account.id === id)
  if (row === undefined) throw new Error('No such row.')
  return row
}

t.test('an organisation', async t => {
  const data = await openTestData(t)
  const id = await addOrganisation(data, { name: ' St Example ', odsCode: 'rj122', country: 'gb' })
  const rows = await data.database.read.select().from(data.database.read.tables.organisations)
  t.match(rows, [{ id, name: 'St Example', odsCode: 'RJ122', country: 'GB' }])
  t.match(await readEvents(data), [
    { action: 'organisation.create', outcome: 'success', organisationId: id, actorId: null }
  ])
  t.match((await readEvents(data))[0]?.details, { by: 'operator console' })

  t.ok(await addOrganisation(data, { name: 'Klinik Beispiel', country: 'DE' }), 'abroad without')
  t.ok(await addOrganisation(data, { name: 'Another abroad', country: 'IM', odsCode: 'YK1' }))
  t.match(await problems(addOrganisation(data, HOSPITAL)), [/ODS code belongs to/])
})

t.test('an organisation that is refused', async t => {
  const data = await openTestData(t)
  const add = (changes: Partial<typeof HOSPITAL>) =>
    problems(addOrganisation(data, { ...HOSPITAL, ...changes }))
  t.match(await add({ odsCode: '' }), [/ODS code is missing/])
  for (const odsCode of ['RJ', 'RJ12-2', 'RJ1222222222X', 'RJ 122', 'ÄB1']) {
    t.match(await add({ odsCode }), [/3 to 12/], odsCode)
  }
  for (const country of ['', 'GBR', 'XX', 'EU', 'XK', 'ZZ']) {
    t.match(await add({ country }), [/country must be/], country)
  }
  t.match(await add({ country: 'UK' }), [/United Kingdom is GB/])
  t.match(await add({ name: ' ' }), [/name is missing/])
  t.match(await add({ name: 'x'.repeat(201) }), [/at most 200/])
  t.match(await add({ name: 'St\nExample' }), [/control characters/])
  t.match(
    await add({ name: 'St \u202eExample' }),
    [/control characters/],
    'text that runs backwards'
  )
  t.equal((await add({ name: '', country: 'UK', odsCode: '!' })).length, 3, 'all of them at once')
  const rows = await data.database.read.select().from(data.database.read.tables.organisations)
  t.same(rows, [])
  t.same(await readEvents(data), [])
})

t.test('an account', async t => {
  const data = await openTestData(t)
  const organisationId = await addOrganisation(data, HOSPITAL)
  const id = await addAccount(data, { ...CLINICIAN, organisation: 'rj122' })
  const row = await accountRow(data, id)
  t.match(row, { organisationId, role: 'clinician', country: 'GB', disabledAt: null })
  t.same(openProfile(data.serviceKeys, row), {
    name: 'Dr Ada Example',
    professionalBody: 'GMC',
    registrationNumber: '1234567'
  })
  const event = await lastEvent(data, 'account.create')
  t.match(event, { outcome: 'success', organisationId })
  t.match(event?.details, { account: id, role: 'clinician' })

  t.test('its name and number are only there sealed', async t => {
    const stored =
      JSON.stringify([row, await readEvents(data)]) + row.profileSealed.toString('latin1')
    t.notMatch(stored, /Ada|1234567/)
    const other = await addAccount(data, CLINICIAN)
    const moved = { ...(await accountRow(data, other)), profileSealed: row.profileSealed }
    t.throws(() => openProfile(data.serviceKeys, moved), { name: 'SealError' }, 'in its own row')
  })

  t.test('with other registrations', async t => {
    const add = async (changes: Record<string, string | undefined>) => {
      const added = await addAccount(data, { ...CLINICIAN, ...changes })
      const found = await accountRow(data, added)
      return { ...openProfile(data.serviceKeys, found), country: found.country, role: found.role }
    }
    t.match(await add({ registrationNumber: 'c7654321' }), { registrationNumber: '7654321' })
    t.match(await add({ professionalBody: ' gmc ' }), { professionalBody: 'GMC' })
    t.match(
      await add({
        role: 'specialist',
        country: 'de',
        professionalBody: 'LÄK Berlin',
        registrationNumber: 'B-12/3'
      }),
      { country: 'DE', professionalBody: 'LÄK Berlin', registrationNumber: 'B-12/3' }
    )
    const none = { professionalBody: undefined, registrationNumber: undefined }
    t.match(await add({ role: 'auditor', ...none }), { role: 'auditor', name: 'Dr Ada Example' })
    t.match(await add({ role: 'administrator', ...none }), { role: 'administrator' })
  })
})

t.test('an account that is refused', async t => {
  const data = await openTestData(t)
  await addOrganisation(data, HOSPITAL)
  const before = (await readEvents(data)).length
  const add = (changes: Partial<typeof CLINICIAN> & { country?: string }) =>
    problems(addAccount(data, { ...CLINICIAN, ...changes }))
  t.match(await add({ organisation: 'RJ999' }), [/organisation is not enrolled/])
  t.match(await add({ role: 'doctor' }), [/role must be one of/])
  t.match(await add({ name: '' }), [/name is missing/])
  t.match(await add({ country: 'XX' }), [/country must be/])
  for (const role of ['clinician', 'specialist']) {
    t.match(await add({ role, professionalBody: '' }), [/professional body is missing/])
    t.match(await add({ role, registrationNumber: '' }), [/registration number is missing/])
  }
  t.match(
    await add({ role: 'auditor', registrationNumber: '' }),
    [/number is missing/],
    'half of it'
  )
  for (const registrationNumber of ['123456', '12345678', 'D1234567', 'C123456', 'CC1234567']) {
    t.match(await add({ registrationNumber }), [/7 digits/], registrationNumber)
  }
  t.match(await add({ professionalBody: 'X', registrationNumber: '<1>' }), [/1 to 40/])
  t.match(await add({ professionalBody: 'x'.repeat(101) }), [/at most 100/])
  const all = { organisation: 'no', role: 'no', name: '', country: 'xx', professionalBody: '' }
  t.equal((await add(all)).length, 5, 'all of them at once')
  const rows = await data.database.read.select().from(data.database.read.tables.accounts)
  t.same(rows, [])
  t.equal((await readEvents(data)).length, before)
})

t.test('a client', async t => {
  const data = await openTestData(t)
  await addOrganisation(data, HOSPITAL)
  const accountId = await addAccount(data, CLINICIAN)
  const key = await addClient(data, { accountId })
  t.match(key, { kty: 'EC', crv: 'P-384', alg: 'ES384', use: 'sig', d: String, kid: String })

  const { clients, identities } = data.database.read.tables
  const [client] = await data.database.read.select().from(clients)
  const { d, client_id: id, ...publicKey } = key
  t.match(client, { id, disabledAt: null })
  t.same(JSON.parse(client?.jwks ?? ''), { keys: [publicKey] })
  t.match(await data.database.read.select().from(identities), [
    { issuer: 'embedded', subject: id, accountId }
  ])
  const event = await lastEvent(data, 'client.create')
  t.match(event, { outcome: 'success' })
  t.match(event?.details, { client: id, account: accountId, key: key.kid })
  t.notOk(JSON.stringify([client, event]).includes(d), 'the private key is not kept')
  t.not((await addClient(data, { accountId })).d, d, 'each client has a key of its own')

  t.equal(await code(addClient(data, { accountId: 'nobody' })), 'account-not-found')
})

t.test('disabling an account', async t => {
  const data = await openTestData(t)
  await addOrganisation(data, HOSPITAL)
  const accountId = await addAccount(data, CLINICIAN)
  const others = await addAccount(data, CLINICIAN)

  t.equal(await disableAccount(data, { accountId }), true)
  const { disabledAt } = await accountRow(data, accountId)
  t.type(disabledAt, 'number')
  t.match(await lastEvent(data, 'account.disable'), { outcome: 'success' })

  data.advance(1000)
  const events = (await readEvents(data)).length
  t.equal(await disableAccount(data, { accountId }), false, 'a second time changes nothing')
  t.equal((await accountRow(data, accountId)).disabledAt, disabledAt)
  t.equal((await readEvents(data)).length, events)

  t.equal((await accountRow(data, others)).disabledAt, null)
  t.equal(await code(disableAccount(data, { accountId: 'nobody' })), 'account-not-found')
  t.equal(await code(addClient(data, { accountId })), 'account-disabled')
})

t.test('nothing is enrolled without its event', async t => {
  const data = await openTestData(t)
  await addOrganisation(data, HOSPITAL)
  const accountId = await addAccount(data, CLINICIAN)
  const append = async (): Promise<never> => {
    throw new Refusal('storage-full')
  }
  const mute = { ...data, audit: { ...data.audit, append } }
  t.equal(await code(addOrganisation(mute, { name: 'X', country: 'DE' })), 'storage-full')
  t.equal(await code(addAccount(mute, CLINICIAN)), 'storage-full')
  t.equal(await code(addClient(mute, { accountId })), 'storage-full')
  t.equal(await code(disableAccount(mute, { accountId })), 'storage-full')
  const { tables } = data.database.read
  t.equal((await data.database.read.select().from(tables.organisations)).length, 1)
  t.equal((await data.database.read.select().from(tables.accounts)).length, 1)
  t.same(await data.database.read.select().from(tables.clients), [])
  t.same(await data.database.read.select().from(tables.identities), [])
  t.equal((await accountRow(data, accountId)).disabledAt, null)
})
