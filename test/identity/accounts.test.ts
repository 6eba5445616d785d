import t from 'tap'
import {
  describeAccount,
  describeSender,
  findSpecialist,
  listSpecialists
} from '../../src/identity/accounts.ts'
import { addAccount, addOrganisation, disableAccount } from '../../src/identity/enrol.ts'
import { openTestData, type TestData } from '../helpers/data.ts'

async function open(t: Parameters<typeof openTestData>[0]) {
  const data = await openTestData(t)
  const home = await addOrganisation(data, { name: 'St Example', odsCode: 'RJ122', country: 'GB' })
  const abroad = await addOrganisation(data, { name: 'Klinik Beispiel', country: 'DE' })
  const add = (name: string, role = 'specialist', organisation = abroad) => {
    // Ids made within one millisecond come in no particular order.
    data.advance(1)
    const registration = { professionalBody: 'X', registrationNumber: '7' }
    return addAccount(data, { organisation, role, name, ...registration })
  }
  return { data, home, abroad, add }
}

/** All pages of a list, and how many there were. */
async function readAll(data: TestData, limit: number, q?: string, profilesMax?: number) {
  const names: string[] = []
  let cursor: string | undefined
  let pages = 0
  do {
    const page = await listSpecialists(data, { cursor, limit, q }, profilesMax)
    t.ok(page.specialists.length <= limit)
    names.push(...page.specialists.map(specialist => specialist.name))
    cursor = page.next
    pages += 1
  } while (cursor !== undefined)
  return { names, pages }
}

t.test('the list of specialists', async t => {
  const { data, home, add } = await open(t)
  const anna = await add('Prof Anna Müller')
  await add('Dr Ben Okafor', 'specialist', home)
  await add('Dr Clinician', 'clinician', home)
  const gone = await add('Dr Gone')
  await disableAccount(data, { accountId: gone })

  const { specialists, next } = await listSpecialists(data, { limit: 50 })
  t.same(
    specialists.map(specialist => specialist.name),
    ['Dr Ben Okafor', 'Prof Anna Müller']
  )
  t.equal(next, undefined)
  t.same(specialists.at(-1), {
    id: anna,
    name: 'Prof Anna Müller',
    professionalBody: 'X',
    registrationNumber: '7',
    country: 'DE',
    organisation: 'Klinik Beispiel'
  })

  t.test('searched by name', async t => {
    const search = async (q: string) =>
      (await listSpecialists(data, { limit: 50, q })).specialists.map(({ name }) => name)
    t.same(await search('muller'), ['Prof Anna Müller'], 'without case and accents')
    t.same(await search('MÜL'), ['Prof Anna Müller'])
    t.same(await search('Dr'), ['Dr Ben Okafor'], 'neither clinicians nor disabled specialists')
    t.same(await search('%'), [], 'a name holds no wildcard')
    t.equal((await search(' ')).length, 2)
  })
})

t.test('page by page', async t => {
  const { data, add } = await open(t)
  const names = ['A one', 'B one', 'A two', 'B two', 'A three', 'B three', 'B four']
  for (const name of names) await add(name)
  const newestFirst = names.toReversed()

  for (const limit of [1, 2, 3, 7, 8]) {
    const all = await readAll(data, limit)
    t.same(all.names, newestFirst, `limit ${limit}`)
    t.equal(all.pages, Math.ceil(names.length / limit), 'and no empty page at the end')
    for (const profilesMax of [1, 2, 3, 100]) {
      const found = await readAll(data, limit, 'a ', profilesMax)
      t.same(found.names, ['A three', 'A two', 'A one'], `limit ${limit} of ${profilesMax}`)
    }
  }
  const page = await listSpecialists(data, { limit: 5, q: 'A ' }, 2)
  t.same(page.specialists, [], 'a page that found none')
  t.type(page.next, 'string', 'still says where to go on')
  for (const cursor of ['', 'x', "' OR 1=1"]) {
    await t.rejects(listSpecialists(data, { cursor, limit: 5 }), { code: 'cursor-invalid' })
  }
})

t.test('one account', async t => {
  const { data, home, add } = await open(t)
  const id = await add('Dr Ada Example', 'clinician', home)
  t.same(await describeAccount(data, id), {
    id,
    role: 'clinician',
    name: 'Dr Ada Example',
    professionalBody: 'X',
    registrationNumber: '7',
    country: 'GB',
    organisation: { id: home, name: 'St Example', odsCode: 'RJ122', country: 'GB' }
  })
  await t.rejects(describeAccount(data, 'nobody'), { code: 'account-not-found' })
  t.same(await describeSender(data.database.read, data.serviceKeys, id), {
    organisation: 'St Example',
    clinician: 'Dr Ada Example'
  })
})

t.test('a specialist to share with', async t => {
  const { data, abroad, home, add } = await open(t)
  const find = (id: string) => findSpecialist(data.database.read, id)
  const id = await add('Prof Anna Müller')
  t.same(await find(id), { id, organisationId: abroad, country: 'DE' })
  t.equal(await find(await add('Dr Clinician', 'clinician', home)), undefined)
  t.equal(await find('nobody'), undefined)
  await disableAccount(data, { accountId: id })
  t.equal(await find(id), undefined, 'not once disabled')
})
