import type { ServiceKeys } from '../exchange.ts'
import { CONTROL_CHARACTER, clean } from '../identity/enrolment-rules.ts'
import { canonicalContext, openBox, sealBox } from '../sealing/keys.ts'

type DirectoryKey = Pick<ServiceKeys, 'directory'>

export const PASSKEY_NAME_CHARACTERS_MAX = 60

const contextOf = (id: string): Buffer => canonicalContext('passkey', id)

/** Seals what its owner calls a passkey; it opens with that passkey only. */
export function sealPasskeyName(keys: DirectoryKey, id: string, name: string): Buffer {
  return sealBox(keys.directory, contextOf(id), Buffer.from(name))
}

export function openPasskeyName(
  keys: DirectoryKey,
  { id, nameSealed }: { id: string; nameSealed: Buffer }
): string {
  return openBox(keys.directory, contextOf(id), nameSealed).toString()
}

/** What somebody typed as a name, or undefined when it can be none. */
export function readPasskeyName(text: string): string | undefined {
  const name = clean(text)
  const isName =
    name?.isWellFormed() &&
    name.length <= PASSKEY_NAME_CHARACTERS_MAX &&
    !CONTROL_CHARACTER.test(name)
  return isName ? name : undefined
}

const BROWSERS = [
  ['Edg/', 'Edge'],
  ['Firefox/', 'Firefox'],
  ['Chrome/', 'Chrome'],
  ['Safari/', 'Safari']
] as const
const SYSTEMS = [
  ['iPhone', 'iPhone'],
  ['iPad', 'iPad'],
  ['Android', 'Android'],
  ['Windows', 'Windows'],
  ['Mac OS X', 'Mac'],
  ['Linux', 'Linux']
] as const

/** A browser as people call it, by what it says of itself: Firefox on Windows. */
export function browserName(userAgent: string | undefined): string {
  const found = (among: readonly (readonly [string, string])[]): string | undefined =>
    among.find(([mark]) => userAgent?.includes(mark))?.[1]
  const [browser, system] = [found(BROWSERS), found(SYSTEMS)]
  return [browser ?? 'A browser', ...(system === undefined ? [] : [`on ${system}`])].join(' ')
}
