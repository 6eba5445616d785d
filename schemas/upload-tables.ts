import type { Columns } from './columns.ts'

/** Objects sealed in segments, and the drafts and uploads they arrive in. */
export function uploadTables(c: Columns) {
  /**
   * The blobs of objects that are sealed in segments, for whoever must know every blob there is.
   * Readers go by the sealed layout, which these rows cannot change.
   */
  const objectSegments = c.table('object_segments', {
    blob: c.text('blob').primaryKey(),
    objectId: c.text('object_id').notNull(),
    /** From 0. */
    place: c.int('place').notNull(),
    /** Of plaintext. */
    bytes: c.int('bytes').notNull()
  })

  /** Records whose files are still arriving. The record that is made of one has its id and its key. */
  const drafts = c.table('drafts', {
    id: c.text('id').primaryKey(),
    caseId: c.text('case_id').notNull(),
    organisationId: c.text('organisation_id').notNull(),
    createdBy: c.text('created_by').notNull(),
    kind: c.text('kind').notNull(),
    wrappedKey: c.bytes('wrapped_key').notNull(),
    /** Title and date, under the record's key. */
    detailsSealed: c.bytes('details_sealed').notNull(),
    /** Uploads in it, and how many bytes they are to have. */
    files: c.int('files').notNull(),
    bytes: c.int('bytes').notNull(),
    createdAt: c.int('created_at').notNull(),
    expiresAt: c.int('expires_at').notNull(),
    /** Given up: nobody sees it any more, and housekeeping removes what is left of it. */
    discardedAt: c.int('discarded_at')
  })

  /** Files on their way into a draft. The object that is made of one has its id. */
  const uploads = c.table('uploads', {
    id: c.text('id').primaryKey(),
    draftId: c.text('draft_id').notNull(),
    organisationId: c.text('organisation_id').notNull(),
    /** whole; or partial, a part of a file; or final, made of such parts (tus, concatenation). */
    part: c.text('part').notNull(),
    position: c.int('position').notNull(),
    /** The length it is to have. */
    bytes: c.int('bytes').notNull(),
    /** What has come of it and is durable: the offset that tus tells. */
    received: c.int('received').notNull(),
    /** How many segments hold that. */
    segments: c.int('segments').notNull(),
    /** receiving, stored, refused (see code), joined (its segments are a final's), ended. */
    state: c.text('state').notNull(),
    code: c.text('code'),
    type: c.text('type'),
    endToEnd: c.flag('end_to_end'),
    sha256: c.bytes('sha256'),
    layoutSealed: c.bytes('layout_sealed'),
    /** What its sender says of it, the file name among it, under the record's key. */
    metadataSealed: c.bytes('metadata_sealed').notNull(),
    joinedTo: c.text('joined_to'),
    createdAt: c.int('created_at').notNull()
  })

  /** The segments of uploads. What each was sealed for is bound into it, so rows cannot be mixed up. */
  const uploadSegments = c.table('upload_segments', {
    blob: c.text('blob').primaryKey(),
    uploadId: c.text('upload_id').notNull(),
    /** Place in the upload, from 0. */
    place: c.int('place').notNull(),
    /** The upload that received it, and its number there: another than these once joined. */
    sealedFor: c.text('sealed_for').notNull(),
    number: c.int('number').notNull(),
    /** Of plaintext. */
    bytes: c.int('bytes').notNull()
  })

  return { objectSegments, drafts, uploads, uploadSegments }
}
