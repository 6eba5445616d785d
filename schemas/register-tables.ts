import type { Columns } from './columns.ts'

/**
 * The tables of the register of specialists and of invitations to it. Who a specialist is, and how to
 * reach them, is sealed under the directory key and found by keyed hashes. What they treat, where and
 * in which languages is in clear, because a search must find it and it names nobody.
 */
export function registerTables(c: Columns) {
  const specialists = c.table('specialists', {
    /** That of the account too, where the entry was made with it. */
    id: c.text('id').primaryKey(),
    /** Who signs in as this specialist; null until they are enrolled. */
    accountId: c.text('account_id'),
    country: c.text('country').notNull(),
    /** `EntryDetails` of `src/register/entry.ts`, under the directory key. */
    detailsSealed: c.bytes('details_sealed').notNull(),
    /** Whose numbers it has: a URI, as FHIR names identifiers. */
    numberSystem: c.text('number_system'),
    /** HMAC of system and number under the lookup key: equal registrations, equal bytes. */
    numberRef: c.bytes('number_ref'),
    /** Another entry had the same registration first: two accounts of one person. */
    isSecond: c.flag('is_second').notNull(),
    /** HMAC of the e-mail address under the lookup key. */
    emailRef: c.bytes('email_ref'),
    /** Says to be on the specialist register of its professional body. */
    onSpecialistRegister: c.flag('on_specialist_register').notNull(),
    availableFrom: c.int('available_from'),
    /** The first moment at which they are not available any more. */
    availableUntil: c.int('available_until'),
    /** Live shares they take at once; null without a limit. */
    capacity: c.int('capacity'),
    verifiedAt: c.int('verified_at'),
    /** The first moment at which the verification does not hold any more. */
    verifiedUntil: c.int('verified_until'),
    /** Why it is not verified, `unverifiedReasons` of `schemas/specialist.ts`; null when it is. */
    unverifiedReason: c.text('unverified_reason'),
    /** When the log was told that the verification had run out. */
    expiryNotedAt: c.int('expiry_noted_at'),
    /** Counts changes, for If-Match. */
    version: c.int('version').notNull(),
    createdAt: c.int('created_at').notNull(),
    changedAt: c.int('changed_at').notNull()
  })

  /** What an entry is found by: words and codes in one spelling. */
  const specialistTerms = c.table('specialist_terms', {
    specialistId: c.text('specialist_id').notNull(),
    /** condition, specialty or language. */
    kind: c.text('kind').notNull(),
    term: c.text('term').notNull()
  })

  const invitations = c.table('invitations', {
    id: c.text('id').primaryKey(),
    specialistId: c.text('specialist_id').notNull(),
    organisationId: c.text('organisation_id').notNull(),
    createdBy: c.text('created_by').notNull(),
    /** The `jti` of the link in force: sending again makes another, and the old one names nothing. */
    linkId: c.text('link_id').notNull(),
    /** HMAC of the enrolment code under the lookup key; null once it can be of no use. */
    codeRef: c.bytes('code_ref'),
    /** Codes tried on this link, the right one included. */
    tries: c.int('tries').notNull(),
    /** How often it was sent. */
    sends: c.int('sends').notNull(),
    /** How the clinician passes the code on. Never the way of the link. */
    codeChannel: c.text('code_channel').notNull(),
    /** Address and message, under the directory key. */
    detailsSealed: c.bytes('details_sealed').notNull(),
    createdAt: c.int('created_at').notNull(),
    sentAt: c.int('sent_at').notNull(),
    expiresAt: c.int('expires_at').notNull(),
    acceptedAt: c.int('accepted_at'),
    withdrawnAt: c.int('withdrawn_at'),
    /** When somebody was reminded of the link in force, before it ran out. */
    remindedAt: c.int('reminded_at')
  })

  /** Files of professional registers that were read whole. The latest of a source counts. */
  const registerFiles = c.table('register_files', {
    id: c.text('id').primaryKey(),
    /** The system of its numbers. */
    source: c.text('source').notNull(),
    /** The day the file speaks of. */
    asOf: c.int('as_of').notNull(),
    sha256: c.bytes('sha256').notNull(),
    rows: c.int('rows').notNull(),
    importedAt: c.int('imported_at').notNull()
  })

  /** What such a file says of each registration, which is named by its hash alone. */
  const registerRows = c.table('register_rows', {
    fileId: c.text('file_id').notNull(),
    numberRef: c.bytes('number_ref').notNull(),
    /** HMAC of family and given names. */
    nameRef: c.bytes('name_ref').notNull(),
    /** registered, or why not: `RegisterStatus` of `src/register/register-source.ts`. */
    status: c.text('status').notNull(),
    onSpecialistRegister: c.flag('on_specialist_register').notNull()
  })

  return { specialists, specialistTerms, invitations, registerFiles, registerRows }
}
