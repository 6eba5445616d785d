import type { Columns } from './columns.ts'

/** The tables of how people sign in: passkeys, sessions, and the codes that lead to a first passkey. */
export function signInTables(c: Columns) {
  /** Public keys of people's authenticators (W3C Web Authentication). */
  const passkeys = c.table('passkeys', {
    /** The credential id, base64url, as the authenticator gave it. */
    id: c.text('id').primaryKey(),
    accountId: c.text('account_id').notNull(),
    /** COSE key. */
    publicKey: c.bytes('public_key').notNull(),
    /** Signatures counted by the authenticator; many always say 0. */
    counter: c.int('counter').notNull(),
    /** How browsers may reach it, separated by commas. */
    transports: c.text('transports').notNull(),
    /** What its owner calls it, under the directory key. */
    nameSealed: c.bytes('name_sealed').notNull(),
    createdAt: c.int('created_at').notNull(),
    usedAt: c.int('used_at')
  })

  /** Who is signed in at the pages. The id is the SHA-256 of the cookie, which is stored nowhere. */
  const sessions = c.table('sessions', {
    id: c.text('id').primaryKey(),
    accountId: c.text('account_id').notNull(),
    /** The identity that was proved: `embedded` or the URL of another issuer, and its subject. */
    issuer: c.text('issuer').notNull(),
    subject: c.text('subject').notNull(),
    /** passkey or external. */
    assurance: c.text('assurance').notNull(),
    /** The passkey that was used, if it was one: without it the session ends. */
    passkeyId: c.text('passkey_id'),
    /** From which address and with which browser, under the directory key. */
    originSealed: c.bytes('origin_sealed').notNull(),
    createdAt: c.int('created_at').notNull(),
    seenAt: c.int('seen_at').notNull(),
    /** When they last proved who they are. */
    provenAt: c.int('proven_at').notNull(),
    expiresAt: c.int('expires_at').notNull()
  })

  /** A challenge that one authenticator, or another issuer as its `state`, is to answer, once. The id is its SHA-256, as above. */
  const ceremonies = c.table('ceremonies', {
    id: c.text('id').primaryKey(),
    /** What the answer is good for: sign-in, prove, add, first, enrol, invitation, recover or errand. */
    purpose: c.text('purpose').notNull(),
    /** Whose passkey it is to be; null while nobody has signed in. */
    accountId: c.text('account_id'),
    /** What else the answer needs, under the directory key. */
    detailsSealed: c.bytes('details_sealed'),
    expiresAt: c.int('expires_at').notNull()
  })

  /** A code that makes somebody's first passkey; of the first administrator there is no account yet. */
  const enrolments = c.table('enrolments', {
    id: c.text('id').primaryKey(),
    accountId: c.text('account_id'),
    /** Keyed hash of the code; null once it was used or tried too often. */
    codeRef: c.bytes('code_ref'),
    tries: c.int('tries').notNull(),
    createdBy: c.text('created_by'),
    createdAt: c.int('created_at').notNull(),
    expiresAt: c.int('expires_at').notNull(),
    usedAt: c.int('used_at'),
    withdrawnAt: c.int('withdrawn_at')
  })

  /** Codes that lead to a new passkey when all are lost, each once. */
  const recoveryCodes = c.table('recovery_codes', {
    /** Keyed hash of the code. */
    codeRef: c.bytes('code_ref').primaryKey(),
    accountId: c.text('account_id').notNull(),
    createdAt: c.int('created_at').notNull(),
    usedAt: c.int('used_at')
  })

  return { passkeys, sessions, ceremonies, enrolments, recoveryCodes }
}
