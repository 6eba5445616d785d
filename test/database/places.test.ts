import type { Client } from 'pg'
import t from 'tap'
import { sharedPlaces } from '../../src/database/postgres-places.ts'

/** A connection that holds locks as PostgreSQL does, and answers once it may. */
function session(may: Promise<unknown> = Promise.resolve()) {
  const locks = new Set<string>()
  const query = async (text: string, [name, values]: [string | string[], unknown]) => {
    await may
    if (text.includes('generate_series')) {
      locks.add(`${name}/1`)
      return { rows: [{ place: 1 }] }
    }
    if (typeof name !== 'string') for (const one of name) locks.add(one)
    else locks.delete(`${name}/${values}`)
    return { rows: [] }
  }
  return { locks, client: { query } as unknown as Client }
}

t.test('a place that is given back while the connection is made anew is free', async t => {
  // Given a place, and a connection that broke
  const first = session()
  let client: Client | undefined = first.client
  const places = sharedPlaces(() => client)
  const giveBack = await places.take('downloads', 1)
  t.same([...first.locks], ['downloads/1'])
  client = undefined
  // When it is given back while the next connection takes again what the first one held
  const answers = Promise.withResolvers<void>()
  const next = session(answers.promise)
  const again = places.takeAgain(next.client, () => {
    client = next.client
  })
  await new Promise(setImmediate)
  giveBack?.()
  await new Promise(setImmediate)
  answers.resolve()
  await again
  client = next.client
  await new Promise(setImmediate)
  // Then nobody holds it
  t.same([...next.locks], [])
  t.ok(await places.take('downloads', 1))
})
