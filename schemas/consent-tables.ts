import type { Columns } from './columns.ts'

/** The tables of patients' consents, and of what shares rest on. */
export function consentTables(c: Columns) {
  /** What a patient agreed to, for good; only its end is added. Triggers hold it. */
  const consents = c.table('consents', {
    id: c.text('id').primaryKey(),
    caseId: c.text('case_id').notNull(),
    organisationId: c.text('organisation_id').notNull(),
    /** second-opinion or transfer. */
    kind: c.text('kind').notNull(),
    textVersion: c.int('text_version').notNull(),
    textSha256: c.bytes('text_sha256').notNull(),
    /** Who gave and took it, how, when, and what they were told, under the case's key. */
    detailsSealed: c.bytes('details_sealed').notNull(),
    /** The end of its last day; null when it holds until it is withdrawn. */
    expiresAt: c.int('expires_at'),
    recordedBy: c.text('recorded_by').notNull(),
    recordedAt: c.int('recorded_at').notNull(),
    withdrawnAt: c.int('withdrawn_at'),
    withdrawnBy: c.text('withdrawn_by'),
    /** Why, under the case's key. */
    reasonSealed: c.bytes('reason_sealed')
  })

  /** Agreements and attestations that shares have named, by a reference that cannot be read back. */
  const safeguards = c.table('safeguards', {
    /** HMAC of organisation, type and reference under the lookup key, in hex. */
    ref: c.text('ref').primaryKey(),
    organisationId: c.text('organisation_id').notNull(),
    type: c.text('type').notNull(),
    withdrawnAt: c.int('withdrawn_at'),
    withdrawnBy: c.text('withdrawn_by')
  })

  /** What a share rests on: a row for each consent and each safeguard. */
  const shareGrounds = c.table('share_grounds', {
    shareId: c.text('share_id').notNull(),
    /** The id of a consent, or the reference of a safeguard. */
    ground: c.text('ground').notNull()
  })

  /** Countries that a share was used from, other than the one where its specialist works. */
  const shareSightings = c.table('share_sightings', {
    shareId: c.text('share_id').notNull(),
    country: c.text('country').notNull(),
    firstAt: c.int('first_at').notNull()
  })

  return { consents, safeguards, shareGrounds, shareSightings }
}
