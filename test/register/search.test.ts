import t from 'tap'
import { addAccount, addOrganisation, disableAccount } from '../../src/identity/enrol.ts'
import { searchSpecialists } from '../../src/register/search.ts'
import { openTestData, type TestData } from '../helpers/data.ts'
import { numberedText, sharedRecord, startExchange } from '../helpers/exchange.ts'
import { entryInput } from './scene.ts'

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

/** What is not asked for is left out, as a query string leaves it out. */
function asked(query: Record<string, string | undefined>) {
  return Object.fromEntries(Object.entries(query).filter(([, value]) => value !== undefined))
}

/** All pages of a list, and how many there were. */
async function readAll(data: TestData, limit: number, q?: string, entriesMax?: number) {
  const names: string[] = []
  let cursor: string | undefined
  let pages = 0
  do {
    const page = await searchSpecialists(
      data,
      asked({ cursor, limit: String(limit), q }),
      false,
      entriesMax
    )
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

  const { specialists, next } = await searchSpecialists(data, { limit: '50' })
  t.same(
    specialists.map(specialist => specialist.name),
    ['Dr Ben Okafor', 'Prof Anna Müller']
  )
  t.equal(next, undefined)
  t.match(specialists.at(-1), {
    id: anna,
    account: anna,
    name: 'Prof Anna Müller',
    state: 'verified',
    verification: { by: 'operator console' },
    professionalBody: 'X',
    registrationNumber: '7',
    country: 'DE',
    organisation: 'Klinik Beispiel'
  })

  t.test('searched by name', async t => {
    const search = async (q: string) =>
      (await searchSpecialists(data, { limit: '50', q })).specialists.map(({ name }) => name)
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
    for (const entriesMax of [1, 2, 3, 100]) {
      const found = await readAll(data, limit, 'a ', entriesMax)
      t.same(found.names, ['A three', 'A two', 'A one'], `limit ${limit} of ${entriesMax}`)
    }
  }
  const page = await searchSpecialists(data, { limit: '5', q: 'A ' }, false, 2)
  t.same(page.specialists, [], 'a page that found none')
  t.type(page.next, 'string', 'still says where to go on')
  for (const cursor of ['', 'x', "' OR 1=1"]) {
    await t.rejects(searchSpecialists(data, { cursor, limit: '5' }), { code: 'cursor-invalid' })
  }
})

t.test('by what they treat, where, in which language, and whether they have room', async t => {
  const exchange = await startExchange(t)
  const administrator = exchange.client('administrator')
  const clinician = exchange.client('clinician')
  const enter = async (change: Parameters<typeof entryInput>[0]) => {
    exchange.clock.advance(1)
    return (await administrator.json<{ id: string }>('POST', '/v1/specialists', entryInput(change)))
      .id
  }
  const breast = await enter({
    country: 'US',
    registrationNumber: '1000001',
    languages: ['en-US', 'es'],
    specialty: 'Clinical oncology',
    conditions: [{ text: 'Carcinoma of the breast', snomed: '254837009', icd10: 'C50.9' }]
  })
  const knee = await enter({
    country: 'DE',
    registrationNumber: '1000002',
    languages: ['de-AT', 'en-GB'],
    specialty: 'Orthopaedics',
    conditions: [{ text: 'Gonarthrosis (knee), primary', icd10: 'M17' }]
  })
  const found = async (query: Record<string, string>) => {
    const path = `/v1/specialists?${new URLSearchParams(query)}`
    const page = await clinician.json<{ specialists: { id: string }[] }>('GET', path)
    return page.specialists.map(({ id }) => id)
  }
  const rows: [query: Record<string, string>, expected: string[]][] = [
    [{ condition: 'breast' }, [breast]],
    [{ condition: 'BREAST carcin' }, [breast]],
    [{ condition: 'breast knee' }, []],
    [{ condition: '254837009' }, [breast]],
    [{ condition: 'c50' }, [breast]],
    [{ condition: 'C50.1' }, []],
    [{ condition: 'M17.1' }, [knee]],
    [{ condition: 'east' }, []],
    [{ condition: '%', country: 'DE' }, [knee]],
    [{ specialty: 'onco' }, [breast]],
    [{ language: 'en', condition: 'knee' }, [knee]],
    [{ language: 'en-US' }, [breast]],
    [{ language: 'de' }, [knee]],
    [{ language: 'fr' }, []],
    [{ country: 'DE' }, [knee]],
    [{ country: 'DE', condition: 'breast' }, []],
    [{ state: 'unverified' }, [knee, breast]]
  ]
  for (const [query, expected] of rows) t.same(await found(query), expected, JSON.stringify(query))
  const { specialistGb, specialistIe } = exchange.people
  const available = await found({ available: 'true' })
  t.ok(available.includes(specialistGb.accountId), 'who is enrolled and verified')
  t.notOk(available.includes(knee), 'and nobody else')

  t.test('capacity and days', async t => {
    const path = `/v1/specialists/${specialistIe.accountId}`
    const set = async (availability: object) => {
      const before = await administrator.send('GET', path)
      const input = entryInput({
        name: specialistIe.name,
        country: 'IE',
        professionalBody: 'IMC',
        registrationSystem: String(before.json.registrationSystem),
        registrationNumber: 'AB 99-401',
        availability
      })
      const changed = await administrator.send('PUT', path, input, {
        'if-match': String(before.headers.get('etag'))
      })
      t.match(changed, { status: 200, json: { state: 'verified' } })
      return (await found({ available: 'true' })).includes(specialistIe.accountId)
    }
    const day = (days: number) =>
      new Date(exchange.clock.now() + days * 86_400_000).toISOString().slice(0, 10)
    t.ok(await set({ from: day(-1), until: day(0), capacity: 1 }), 'the last day counts')
    t.notOk(await set({ from: day(1) }), 'not yet')
    t.notOk(await set({ until: day(-1) }), 'no longer')
    await sharedRecord(exchange, [numberedText(100)], {
      with: 'specialistIe'
    })
    t.notOk(await set({ capacity: 1 }), 'as many as they take')
    t.ok(await set({ capacity: 2 }))
  })
})
