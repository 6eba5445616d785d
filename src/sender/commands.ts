import { join } from 'node:path'
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import { recordKinds } from '../../schemas/record.ts'
import { Ending, type EndingName, exitCodes } from './ending.ts'
import { fetchShare } from './fetch.ts'
import { readClientKey, requireSafeUrl } from './machine-client.ts'
import { Refused } from './problem.ts'
import { type Screen, showProgress } from './progress.ts'
import { recipientOf } from './recipient.ts'
import {
  endingOfFetched,
  endingOfSent,
  manifestOfFetched,
  manifestOfSent,
  tellFetched,
  tellSent,
  writeManifest
} from './report.ts'
import { openerFrom } from './seal.ts'
import { PARALLEL_DEFAULT, send } from './send.ts'
import { openSession, type Session } from './session.ts'

const PARALLEL_MAX = 8
const PATIENCE_SECONDS_DEFAULT = 300

/** What a run tells, and where. */
export interface Console {
  /** Results. */
  out(text: string): void
  /** Progress and trouble. */
  screen: Screen
  /** Where a link comes from that is not to be seen in a list of processes. */
  readInput(): Promise<string>
}

interface Common {
  url: string
  knownAs?: string
  clientKey: string
  parallel: number
  patience: number
}

interface SendFlags extends Common {
  case: string
  kind?: (typeof recordKinds)[number]
  title?: string
  date?: string
  state?: string
  manifest?: string
  seal?: boolean
  to?: string
  recipient?: string
  allowClassic?: boolean
}

interface FetchFlags extends Common {
  link?: string
  share?: string
  identity?: string
  manifest?: string
}

/**
 * Runs `consilium` with these arguments and resolves to its exit code (docs/sending.md). `control`
 * ends it from outside; what was sent until then is not sent again.
 */
export async function runConsilium(
  args: string[],
  console: Console,
  control: AbortController
): Promise<number> {
  let ending: EndingName = 'usage'
  const program = new Command('consilium')
    .description('Sends records into an exchange for second opinions, and fetches what was shared.')
    .exitOverride()
    .configureOutput({ writeOut: console.out, writeErr: console.screen.write })
  addSend(program, async (folders, flags) => {
    ending = await runSend(folders, flags, console, control)
  })
  addFetch(program, async (directory, flags) => {
    ending = await runFetch(directory, flags, console, control)
  })
  try {
    await program.parseAsync(args, { from: 'user' })
    return exitCodes[ending]
  } catch (err) {
    if (err instanceof CommanderError) return err.exitCode === 0 ? exitCodes.done : exitCodes.usage
    const told = err instanceof Ending ? err : unforeseen(err)
    console.screen.write(`${told.message}\n`)
    return exitCodes[told.ending]
  }
}

/** A full disk or a folder that may not be written: the same command goes on once that is mended. */
function unforeseen(err: unknown): Ending {
  if (err instanceof Refused) {
    return new Ending('refused', `${err.title} (${err.code}). ${err.detail}`)
  }
  const { code, message } = Object(err) as { code?: string; message?: string }
  return new Ending('stopped', code ? `It failed (${code}).` : `It failed: ${message}`)
}

function addSend(program: Command, act: (folders: string[], flags: SendFlags) => Promise<void>) {
  const command = program
    .command('send')
    .description(
      'Send folders into a case: a record for each study, and for the other files of each folder'
    )
    .argument('<dir...>', 'folders, or files')
    .requiredOption('--case <id>', 'the case')
    .addOption(new Option('--kind <kind>', 'instead of what the files say').choices(recordKinds))
    .addOption(new Option('--title <text>', 'of every record; name nobody').argParser(title))
    .addOption(new Option('--date <day>', 'when it was made, as 2026-11-02').argParser(day))
    .option('--state <file>', 'what was sent so far; beside the first folder if not given')
    .option('--manifest <file>', 'digests and ids of what was sent; beside the state if not given')
    .option('--seal', 'encrypt on this machine, to the account of --to alone')
    .option('--to <account>', 'the specialist')
    .option('--recipient <age1…>', 'their recipient or its fingerprint, as they told you')
    .option('--allow-classic', 'seal to a recipient that is not post-quantum')
  addCommon(command).action(act)
}

function addFetch(program: Command, act: (directory: string, flags: FetchFlags) => Promise<void>) {
  const command = program
    .command('fetch')
    .description('Fetch everything in a share, and verify it')
    .argument('<dir>', 'where to')
    .option('--link <link>', 'the link you were given; - reads it from standard input')
    .option('--share <id>', 'a share that you have opened before')
    .option('--identity <file>', 'your age identity, to open what was sealed to you')
    .option('--manifest <file>', 'what was verified; manifest.json in the folder if not given')
  addCommon(command).action(act)
}

function addCommon(command: Command): Command {
  return command
    .requiredOption('--url <url>', 'where the service answers')
    .option('--known-as <url>', 'what the service calls itself, if that is another address')
    .requiredOption('--client-key <file>', 'the file that add-client wrote')
    .addOption(
      new Option('--parallel <n>', 'at once')
        .argParser(number(1, PARALLEL_MAX))
        .default(PARALLEL_DEFAULT)
    )
    .addOption(
      new Option('--patience <seconds>', 'how long to try while nothing gets through')
        .argParser(number(0, 86_400))
        .default(PATIENCE_SECONDS_DEFAULT)
    )
}

const number = (min: number, max: number) => (text: string) => {
  const value = Number(text)
  if (/^\d{1,6}$/.test(text) && value >= min && value <= max) return value
  throw new InvalidArgumentError(`A whole number from ${min} to ${max}.`)
}

function day(text: string): string {
  const isDay = /^\d{4}-\d\d-\d\d$/.test(text) && !Number.isNaN(Date.parse(`${text}T00:00:00Z`))
  if (isDay && new Date(text).toISOString().startsWith(text)) return text
  throw new InvalidArgumentError('A day as 2026-11-02.')
}

function title(text: string): string {
  if (text.trim() !== '' && text.length <= 180) return text
  throw new InvalidArgumentError('From 1 to 180 characters.')
}

async function runSend(
  folders: string[],
  flags: SendFlags,
  console: Console,
  control: AbortController
): Promise<EndingName> {
  if ((flags.seal === true) !== (flags.to !== undefined)) {
    throw new Ending('usage', '--seal and --to belong together.')
  }
  const progress = showProgress(console.screen)
  const session = await sessionFor(flags, progress.say, control)
  const { kind, title, date, state, manifest, parallel, to } = flags
  const { recipient: pinned, allowClassic = false } = flags
  const recipient = to ? await recipientOf(session, to, { pinned, allowClassic }) : undefined
  const wishes = { kind, title, date, state, manifest, parallel, recipient }
  const options = { folders, caseId: flags.case, ...wishes }
  const result = await send(session, options, progress).finally(progress.end)
  const { manifestPath } = result
  await writeManifest(manifestPath, manifestOfSent(result, session, flags.case))
  console.out(`${tellSent(result)}\nmanifest ${manifestPath}\n`)
  if (result.stopped !== undefined) throw result.stopped
  return endingOfSent(result)
}

async function runFetch(
  directory: string,
  flags: FetchFlags,
  console: Console,
  control: AbortController
): Promise<EndingName> {
  const { share, parallel } = flags
  const link = flags.link === '-' ? (await console.readInput()).trim() : flags.link
  if ((link === undefined) === (share === undefined)) {
    throw new Ending('usage', 'Give either --link or --share.')
  }
  const begun = new Date()
  const decrypter = flags.identity ? await openerFrom(flags.identity) : undefined
  const progress = showProgress(console.screen)
  const session = await sessionFor(flags, progress.say, control)
  const options = { link, share, directory, parallel, decrypter }
  const result = await fetchShare(session, options, progress).finally(progress.end)
  const path = flags.manifest ?? join(directory, 'manifest.json')
  await writeManifest(path, manifestOfFetched(result, session, begun))
  console.out(`${tellFetched(result)}\nmanifest ${path}\n`)
  return endingOfFetched(result)
}

async function sessionFor(
  flags: Common,
  say: (text: string) => void,
  control: AbortController
): Promise<Session> {
  const asUsage = (err: Error): never => {
    throw new Ending('usage', err.message)
  }
  const key = await readClientKey(flags.clientKey).catch(asUsage)
  const safe = (text: string) => {
    try {
      return requireSafeUrl(text)
    } catch (err) {
      return asUsage(err as Error)
    }
  }
  const url = safe(flags.url)
  return openSession({
    url,
    knownAs: flags.knownAs === undefined ? url : safe(flags.knownAs),
    key,
    control,
    patienceMilliseconds: flags.patience * 1000,
    onWait: (wait, why) => say(`${why} Trying again in ${Math.ceil(wait / 1000)} s.`)
  })
}
