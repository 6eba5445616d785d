import { readConfig } from '../src/config.ts'
import {
  addCurrentKek,
  keysOutside,
  keysUnder,
  type Progress,
  type Rewrapped,
  retireKek,
  rewrapKeys
} from '../src/housekeeping/rotate-keys.ts'
import { dataPaths, lockRotation, type OpenData } from '../src/open-data.ts'
import { runCommand, withDataAsOwner } from './command.ts'

const usage = `Wraps every key in the database under the current key-encryption key (KEK), while the service
serves. With a key ring file a new KEK is made first; with KMS or transit the first of the configured
keys is the current one. What is stored is not rewritten. If it is stopped, at any point, run it
again: it goes on where it was.

  npm run rotate-keys
  npm run rotate-keys -- --resume
  npm run rotate-keys -- --retire KEK

  --resume   makes no new KEK, and only wraps what is not under the current one
  --retire   removes an older KEK from the key ring file, once nothing is wrapped under it. Backups
             made before still need it

On PostgreSQL the service has no right to do this: set DATABASE_OWNER_URL as for migrate-database.`

const PROGRESS_MILLISECONDS = 2000

await runCommand(usage, { required: [], optional: ['retire'], flags: ['resume'] }, values =>
  withDataAsOwner(async data => {
    const lock = lockRotation(data)
    try {
      if (values.retire !== undefined) await retire(data, values.retire)
      else await rotate(data, values.resume !== undefined)
    } finally {
      lock.release()
    }
  })
)

async function rotate(data: OpenData, isResumed: boolean): Promise<void> {
  const makesKek = readConfig(process.env).keyring.kinds[0] === 'file' && !isResumed
  const isUnfinished = (await keysOutside(data, await data.keyring.currentId())) > 0
  if (isUnfinished) console.error('An earlier rotation is not finished: going on with it.')
  const begun = isUnfinished ? await rewrapKeys(data, tellProgress()) : undefined
  // What cannot be unwrapped stays under the KEK it was under, and keeps no rotation waiting.
  const makesNow = makesKek && (begun === undefined || begun.count === 0)
  if (makesNow) {
    const id = await addCurrentKek(data, dataPaths(data.directory).keyring)
    console.error(`New KEK: ${id}. Back up the keys directory, apart from the data.`)
  }
  await tellResult(data, makesNow || !begun ? await rewrapKeys(data, tellProgress()) : begun)
}

async function tellResult(data: OpenData, { to, count, failed }: Rewrapped): Promise<void> {
  console.log(`Wrapped under ${to}: ${count} keys.`)
  for (const { what, id, code } of failed) console.log(`Left as it was: ${what} ${id} (${code}).`)
  for (const id of await data.keyring.kekIds()) {
    if (id === to) continue
    const uses = await keysUnder(data, id)
    console.log(uses === 0 ? `Nothing uses ${id} any more.` : `${uses} keys still use ${id}.`)
  }
  console.error('Backups made before this still need the KEKs they were made under.')
  if (failed.length > 0) process.exitCode = 1
}

async function retire(data: OpenData, id: string): Promise<void> {
  await retireKek(data, dataPaths(data.directory).keyring, id)
  console.log(`Removed ${id}. A running service forgets it when it is restarted, at the latest.`)
}

/** Long work says now and then, on standard error, how far it is. */
function tellProgress(): Progress {
  let told = performance.now()
  return (done, of) => {
    const now = performance.now()
    if (now - told < PROGRESS_MILLISECONDS) return
    told = now
    console.error(`${done} of ${of} keys`)
  }
}
