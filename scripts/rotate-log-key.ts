import { addLogKey, retireOldLogKeys } from '../src/audit/tree/signing-keys.ts'
import { dataPaths, lockRotation, type OpenData } from '../src/open-data.ts'
import { runCommand, withData } from './command.ts'

const usage = `Adds a key that signs the checkpoints of the access log, beside those in use. Publish its verifier
key, which is printed, and restart the service. Once everybody has it, retire the older ones.

  npm run rotate-log-key
  npm run rotate-log-key -- --retire

  --retire    forgets the private half of every key but the newest; what they signed stays valid`

const options = { required: [], optional: [], flags: ['retire'] }

await runCommand(usage, options, values =>
  withData(async data => {
    const lock = lockRotation(data)
    try {
      await (values.retire === undefined ? add(data) : retire(data))
    } finally {
      lock.release()
    }
  })
)

async function add(data: OpenData): Promise<void> {
  const path = dataPaths(data.directory).logKeys
  const vkey = await addLogKey(path, now(data), vkey => record(data, { added: vkey }))
  console.log(vkey)
  console.error(
    'Publish this verifier key beside the others (the service lists them at /v1/audit/keys), and restart the service: from then on every checkpoint is signed with the new key too.'
  )
}

async function retire(data: OpenData): Promise<void> {
  const path = dataPaths(data.directory).logKeys
  const retired = await retireOldLogKeys(path, now(data), vkeys => record(data, { retired: vkeys }))
  if (retired.length === 0) throw new Error('There is one key alone: add the next one first.')
  for (const vkey of retired) console.log(vkey)
  console.error(
    'Retired, which the running service will know once it is restarted. Keep these verifier keys published: older checkpoints and proofs are verified with them.'
  )
}

/** Whose key signs the log concerns everybody on it. A verifier key is public. */
async function record(data: OpenData, keys: Record<string, unknown>): Promise<void> {
  const details = { by: 'operator console', ...keys }
  await data.database.write(tx =>
    data.audit.append(tx, { action: 'log.key', outcome: 'success', details })
  )
}

function now(data: OpenData): string {
  return new Date(data.clock()).toISOString()
}
