// What each act answers while a part that it may need fails. docs/operating.md has the same table,
// which test/docs.test.ts holds to this one.

export const acts = [
  'upload',
  'share',
  'open',
  'download',
  'opinion',
  'revoke',
  'audit query'
] as const
export type ActName = (typeof acts)[number]

type Answers = Record<ActName, string>

const all = (answer: string, but: Partial<Answers> = {}): Answers => {
  const each = Object.fromEntries(acts.map(act => [act, answer])) as Answers
  return { ...each, ...but }
}

const NO_LOG = '503 audit-unavailable'
const NO_STORE = '503 storage-unavailable'
const NO_KEY = '503 keys-unavailable'

/** While the server is gone for a moment, each question may meet it before, meanwhile or after. */
const RESTARTED = `done or ${NO_LOG} or ${NO_STORE}`

/**
 * `done` is success, `cut` a download that ends early, `no answer` a connection that breaks. Several
 * answers are separated by "or", where it depends on the moment.
 */
export const table: Record<string, Answers> = {
  'database down': all(NO_LOG),
  'database slow': all('done'),
  'database restarted at once': all(RESTARTED, { download: `${RESTARTED} or cut` }),
  'store down': all('done', { upload: NO_STORE, download: NO_STORE, opinion: NO_STORE }),
  'store slow': all('done'),
  'store answers 500': all('done', { upload: NO_STORE, download: NO_STORE, opinion: NO_STORE }),
  'connection to the store cut in a part': all('done'),
  'key service down': all(NO_KEY, { revoke: 'done', 'audit query': 'done' }),
  'process killed': all('done or no answer', { download: 'done or no answer or cut' })
}

/** The table as it stands in the documentation. */
export function tableLines(): string[] {
  return Object.entries(table).map(
    ([fault, answers]) => `| ${fault} | ${acts.map(act => answers[act]).join(' | ')} |`
  )
}
