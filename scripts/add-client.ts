import { type FileHandle, open, rm } from 'node:fs/promises'
import { addClient, type ClientKey } from '../src/identity/enrol.ts'
import { runCommand, withData } from './command.ts'

const usage = `Makes a key pair for a machine that acts as an account. The private key is given out once,
as JSON; only the public key is kept.

  npm run add-client -- --account ID [--out FILE]

  --account   id of the account
  --out       a new file for the private key, readable by you alone; else it is printed`

await runCommand(usage, { required: ['account'], optional: ['out'] }, async values => {
  const make = () => withData(data => addClient(data, { accountId: values.account ?? '' }))
  const { out } = values
  if (out === undefined) {
    console.log(toText(await make()))
    return
  }
  // The file comes first: a client whose key could not be kept would be of no use to anybody.
  const file = await create(out)
  try {
    const key = await make()
    await file.writeFile(toText(key))
    await file.sync()
    console.error(`The private key of client ${key.client_id} is in ${out}.`)
  } catch (err) {
    await rm(out, { force: true })
    throw err
  } finally {
    await file.close()
  }
})

async function create(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'wx', 0o600)
  } catch (err) {
    const code = err instanceof Error && 'code' in err ? String(err.code) : 'unknown'
    if (code === 'EEXIST') throw new Error(`${path} exists already; name a new file.`)
    throw new Error(`${path} cannot be written (${code}).`)
  }
}

function toText(key: ClientKey): string {
  return `${JSON.stringify(key, null, 2)}\n`
}
