import t from 'tap'
import { describeAccount, describeSender, findSpecialist } from '../../src/identity/accounts.ts'
import { addAccount, addOrganisation, disableAccount } from '../../src/identity/enrol.ts'
import { openTestData } from '../helpers/data.ts'

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
