import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { createIdentity, encrypterTo, isHybrid } from '../src/backup/age.ts'
import { backUp } from '../src/backup/backup.ts'
import { BackupError } from '../src/backup/backup-error.ts'
import { requireSafePlace } from '../src/backup/backup-place.ts'
import { readConfig } from '../src/config.ts'
import { openBlobs, openData } from '../src/open-data.ts'
import { asUsage, runAsked, UsageError } from './command.ts'
import { tellLeftOut, tellProgress } from './progress.ts'

const USAGE = `Saves everything, also while the service runs: database, sealed objects, keys and the copy of the
checkpoint, in one file that only the holders of an age identity can open.

  npm run backup -- --to FILE --recipient age1… [--recipient age1…]
  npm run backup -- --to FILE --new-identity FILE

  --to            the file to make; it must not exist, nor be within the data directory
  --recipient     whom it is encrypted to (age1pq1… is post-quantum; age1… alone is not)
  --new-identity  makes a post-quantum identity in this new file, and encrypts to it. Whoever has it
                  and a backup has the records: keep it apart from both, and keep it

Exit codes: 0 saved, 1 not saved, or saved without some objects, which are named; 2 called wrongly.`

const CLASSIC =
  'Notice: these recipients are classic, so the file may one day be opened by a quantum computer.'

interface Asked {
  to: string
  recipients: string[]
  newIdentity: string | undefined
}

function readArguments(): Asked {
  const text = { type: 'string' } as const
  const list = { type: 'string', multiple: true, default: [] as string[] } as const
  const options = { to: text, recipient: list, 'new-identity': text }
  const {
    to,
    recipient,
    'new-identity': newIdentity
  } = asUsage(() => parseArgs({ options, strict: true, allowPositionals: false }).values)
  if (!to) throw new UsageError('Missing: --to')
  if (recipient.length === 0 && !newIdentity) {
    throw new UsageError('Missing: --recipient or --new-identity')
  }
  return { to, recipients: recipient, newIdentity }
}

async function makeIdentity(path: string, others: string[], directory: string): Promise<string> {
  if (others.length > 0 && !isHybrid(others)) {
    throw new BackupError('A new identity is post-quantum and cannot be mixed with classic ones.')
  }
  await requireSafePlace(path, directory)
  const recipient = await createIdentity(path, Date.now())
  console.error(`New identity, to which this backup is encrypted. Its recipient:\n${recipient}`)
  return recipient
}

async function save({ to, recipients, newIdentity }: Asked): Promise<void> {
  const config = readConfig(process.env)
  process.umask(0o077)
  const release: string = JSON.parse(
    readFileSync(new URL('../package.json', import.meta.url), 'utf8')
  ).version
  const stopping = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => stopping.abort())
  // Before anything is made, so that a wrong recipient leaves no identity behind.
  if (recipients.length > 0) encrypterTo(recipients)
  const data = await openData(config)
  const blobs = await openBlobs(config).catch(async err => {
    await data.close()
    throw err
  })
  try {
    await requireSafePlace(to, data.directory)
    const all = [...recipients]
    if (newIdentity !== undefined) all.push(await makeIdentity(newIdentity, all, data.directory))
    if (!isHybrid(all)) console.error(CLASSIC)
    const progress = tellProgress()
    const result = await backUp({
      data,
      blobs,
      databaseUrl: config.databaseUrl,
      to,
      encrypter: encrypterTo(all),
      recipients: all.length,
      release,
      freeBytesMin: config.limits.accessFreeBytesMin,
      fault: sentence => console.log(`FAULT: ${sentence}`),
      progress,
      signal: stopping.signal
    })
    const { log, counts } = result.head
    console.log(`Saved: ${result.objects} objects, ${log.events} events, ${result.bytes} bytes`)
    tellLeftOut(counts, 'which go on here')
    console.log(result.faults === 0 ? 'All is well.' : `${result.faults} faults.`)
    process.exitCode = result.faults === 0 ? 0 : 1
  } finally {
    await blobs.close()
    await data.close()
  }
}

await runAsked(USAGE, async () => save(readArguments()))
