// What each act answers while a part that it may need fails. docs/operating.md has the same table,
// which test/docs.test.ts holds to this one.

export const acts = [
  'upload',
  'share',
  'open',
  'download',
  'opinion',
  'revoke',
  'audit query',
  'ask for more time',
  'give more time',
  'erase'
] as const
export type ActName = (typeof acts)[number]

type Answers = Record<ActName, string>

/** These go the way of the other acts, so they are struck where their own steps may make a difference. */
export const NOT_TRIED = '–'
const few: ActName[] = ['ask for more time', 'give more time', 'erase']

const all = (answer: string, but: Partial<Answers> = {}): Answers => {
  const answers = acts.map(act => [act, few.includes(act) ? NOT_TRIED : answer])
  const each = Object.fromEntries(answers) as Answers
  return { ...each, ...but }
}

const NO_LOG = '503 audit-unavailable'
const NO_STORE = '503 storage-unavailable'
const NO_KEY = '503 keys-unavailable'

const KILLED = 'done or no answer'

/** While the server is gone for a moment, each question may meet it before, meanwhile or after. */
const RESTARTED = `done or ${NO_LOG} or ${NO_STORE}`

/**
 * `done` is success, `cut` a download that ends early, `no answer` a connection that breaks. Several
 * answers are separated by "or", where it depends on the moment.
 */
export const table: Record<string, Answers> = {
  'database down': all(NO_LOG),
  'database slow': all('done'),
  'database restarted at once': all(RESTARTED, {
    download: `${RESTARTED} or cut`,
    'give more time': RESTARTED
  }),
  'store down': all('done', {
    upload: NO_STORE,
    download: NO_STORE,
    opinion: NO_STORE,
    // The keys are gone, which is what counts; housekeeping removes the files.
    erase: 'done'
  }),
  'store slow': all('done'),
  'store answers 500': all('done', { upload: NO_STORE, download: NO_STORE, opinion: NO_STORE }),
  'connection to the store cut in a part': all('done'),
  'key service down': all(NO_KEY, {
    revoke: 'done',
    'audit query': 'done',
    'ask for more time': NO_KEY
  }),
  'process killed': all(KILLED, {
    download: `${KILLED} or cut`,
    'ask for more time': KILLED,
    'give more time': KILLED,
    erase: KILLED
  })
}

/** The table as it stands in the documentation. */
export function tableLines(): string[] {
  return Object.entries(table).map(
    ([fault, answers]) => `| ${fault} | ${acts.map(act => answers[act]).join(' | ')} |`
  )
}
