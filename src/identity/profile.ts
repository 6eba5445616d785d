import type { ServiceKeys } from '../exchange.ts'
import { canonicalContext, openBox, sealBox } from '../sealing/keys.ts'

/** What names a person. Stored only sealed. */
export interface Profile {
  name: string
  /** Who registered them, e.g. GMC. Absent for auditors and administrators. */
  professionalBody?: string
  registrationNumber?: string
  /** Where notices go. Never a key of anything, and shown to nobody but its holder. */
  email?: string
}

type DirectoryKey = Pick<ServiceKeys, 'directory'>

/** Seals a profile for `accounts.profile_sealed`; it opens in the row of that account only. */
export function sealProfile(keys: DirectoryKey, accountId: string, profile: Profile): Buffer {
  return sealBox(keys.directory, profileContext(accountId), Buffer.from(JSON.stringify(profile)))
}

/** Opens what `sealProfile` made. Throws SealError when it was changed or moved to another row. */
export function openProfile(
  keys: DirectoryKey,
  account: { id: string; profileSealed: Buffer }
): Profile {
  return JSON.parse(
    openBox(keys.directory, profileContext(account.id), account.profileSealed).toString()
  )
}

const profileContext = (accountId: string): Buffer => canonicalContext('account', accountId)
