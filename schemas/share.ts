import { type Static, Type } from 'typebox'
import { Patient } from './case.ts'
import { Attempt, Id, Next, Timestamp } from './common.ts'
import { RecordSummary, RecordView } from './record.ts'
import { SharedRequest } from './request.ts'
import { Safeguard, TransferBasis } from './transfer.ts'

/** Records that go though a machine cannot tell whom they show, and why that is right. */
const decision = (description: string) =>
  Type.Object(
    {
      records: Type.Array(Id, { minItems: 1, maxItems: 200, uniqueItems: true }),
      reason: Type.String({ minLength: 1, maxLength: 500 })
    },
    { additionalProperties: false, description }
  )

/** Of a share whose specialist reads copies. */
const Pseudonymised = Type.Object({
  patient: Type.String({ description: 'Stands for the patient in all of its files.' }),
  files: Type.Object({
    pseudonymised: Type.Integer({ description: 'DICOM files.' }),
    released: Type.Integer({ description: 'Of those, files released after a look: allowHeld.' }),
    asIs: Type.Integer({ description: 'Other files, unchanged: allowAsIs.' })
  })
})

export const ShareCreate = Type.Object(
  {
    specialist: Id,
    records: Type.Array(Id, { minItems: 1, maxItems: 200, uniqueItems: true }),
    purpose: Type.String({ minLength: 1, maxLength: 500 }),
    lifeHours: Type.Optional(Type.Integer({ minimum: 1, maximum: 720 })),
    notBefore: Type.Optional(Timestamp),
    openingsMax: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000 })),
    safeguard: Type.Optional(Safeguard),
    pseudonymise: Type.Optional(
      Type.Boolean({
        description:
          'The specialist gets copies of the DICOM files in which the patient has a pseudonym: PS3.15, basic profile with modified dates and patient characteristics.'
      })
    ),
    question: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 10_000,
        description:
          'With pseudonymise: asked instead of the question of the case, if that names the patient.'
      })
    ),
    allowAsIs: Type.Optional(
      decision('With pseudonymise: records whose files that are not DICOM go as they are.')
    ),
    allowHeld: Type.Optional(
      decision(
        'With pseudonymise: records whose held files (reports, screen captures, ultrasound …) somebody has looked at; they are pseudonymised, and their pictures and texts go as they are.'
      )
    ),
    overrideReason: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 1000,
        description: 'Why a case that is not complete is shared all the same.'
      })
    ),
    attempt: Type.Optional(Attempt('share'))
  },
  { additionalProperties: false }
)
export type ShareCreate = Static<typeof ShareCreate>

const state = ['live', 'not-yet-valid', 'expired', 'revoked'] as const

/** That a case was shared before it was complete. */
export const Override = Type.Object({
  reason: Type.String(),
  missing: Type.Array(Type.String(), { description: 'What was missing then.' })
})
export type Override = Static<typeof Override>

/** How long the answer takes. */
export const Turnaround = Type.Object({
  startedAt: Timestamp,
  elapsedSeconds: Type.Integer({
    description: 'Until now, or until it was answered or withdrawn.'
  }),
  leftSeconds: Type.Optional(
    Type.Integer({ description: 'While it is due and unanswered; 0 once it is overdue.' })
  ),
  overdue: Type.Boolean({ description: 'The due date was over first.' }),
  answeredAt: Type.Optional(Timestamp)
})
export type Turnaround = Static<typeof Turnaround>

const clock = {
  dueAt: Type.Optional(
    Type.String({ format: 'date-time', description: 'By the due date of the request now.' })
  ),
  turnaround: Turnaround
}

/** A share as its sender sees it. */
const absent =
  'Absent for administrators, and in answers to withdrawals while the keys cannot be had.'

export const ShareView = Type.Object(
  {
    id: Id,
    case: Id,
    specialist: Id,
    specialistName: Type.Optional(Type.String()),
    country: Type.String({ description: 'Where its specialist works, as it was judged by.' }),
    records: Type.Array(Id),
    purpose: Type.Optional(Type.String({ description: absent })),
    state: Type.Enum(state),
    createdBy: Id,
    createdAt: Timestamp,
    notBefore: Timestamp,
    expiresAt: Timestamp,
    endsWith: Type.Optional(
      Type.Enum(['consent', 'safeguard'], {
        description: 'What it rests on ends then, and it would have lasted longer.'
      })
    ),
    verifiedUntil: Type.Optional(
      Type.String({
        format: 'date-time',
        description: 'Of one share: its specialist reads no longer than this unless verified anew.'
      })
    ),
    openings: Type.Integer(),
    openingsMax: Type.Optional(Type.Integer()),
    revokedAt: Type.Optional(Timestamp),
    transfer: Type.Optional(TransferBasis),
    pseudonymised: Type.Optional(Pseudonymised),
    requestVersion: Type.Optional(Type.Integer({ description: 'Which request it shows.' })),
    override: Type.Optional(Override),
    consent: Type.Optional(
      Type.Object(
        {
          recorded: Type.Boolean(),
          id: Type.Optional(Id)
        },
        { description: 'Whether the patient’s consent to the second opinion was on record then.' }
      )
    ),
    lastOpenedAt: Type.Optional(
      Type.String({ format: 'date-time', description: 'In lists of live shares.' })
    ),
    lastDownloadAt: Type.Optional(
      Type.String({ format: 'date-time', description: 'When content was last read; as above.' })
    ),
    accessesElsewhere: Type.Optional(
      Type.Array(Type.Object({ country: Type.String(), firstAt: Timestamp }), {
        description: 'Countries it was used from, other than where its specialist works.'
      })
    ),
    ...clock,
    moreTimeAsked: Type.Optional(
      Type.Boolean({ description: 'The specialist waits for more time, or to hear that not.' })
    ),
    replacedBy: Type.Optional(Type.String({ format: 'uuid', description: 'It gave more time.' }))
  },
  { $id: 'Share' }
)
export type ShareView = Static<typeof ShareView>

export const ShareCreated = Type.Object({
  id: Id,
  link: Type.String({ description: 'Give it to the specialist. It opens nothing for others.' }),
  notBefore: Timestamp,
  expiresAt: Timestamp,
  endsWith: Type.Optional(
    Type.Enum(['consent', 'safeguard'], {
      description: 'It was to last longer, but ends with this. Renew it, then give more time.'
    })
  ),
  transfer: TransferBasis,
  pseudonymised: Type.Optional(Pseudonymised)
})

/** Everything of an organisation that can be opened, or will be. */
const LiveCounts = Type.Object({
  live: Type.Integer(),
  endingWithinDay: Type.Integer(),
  unopened: Type.Integer(),
  overdue: Type.Integer({ description: 'No opinion came back before the due date was over.' }),
  moreTimeAsked: Type.Integer({ description: 'Of these; expired ones wait beside them.' })
})
export type LiveCounts = Static<typeof LiveCounts>

export const ShareList = Type.Object({
  shares: Type.Array(ShareView),
  counts: Type.Optional(LiveCounts),
  next: Next
})
export type ShareList = Static<typeof ShareList>

/** Shares withdrawn in one go, all or none. */
export const REVOKE_SHARES_MAX = 100

export const ShareRevokeMany = Type.Object(
  {
    shares: Type.Optional(
      Type.Array(Id, { minItems: 1, maxItems: REVOKE_SHARES_MAX, uniqueItems: true })
    ),
    case: Type.Optional(Id),
    specialist: Type.Optional(Id),
    madeUntil: Type.Optional(Timestamp),
    reason: Type.Optional(
      Type.String({ minLength: 1, maxLength: 1000, description: 'Why, for the access log.' })
    )
  },
  {
    additionalProperties: false,
    description:
      'Either shares, or all that are live of a case, of a specialist, made until a moment, or what is all of these.'
  }
)
export type ShareRevokeMany = Static<typeof ShareRevokeMany>

export const ShareRevokedMany = Type.Object(
  {
    results: Type.Array(
      Type.Object({
        share: Id,
        result: Type.Enum(['revoked', 'share-ended', 'share-replaced', 'share-not-found'])
      })
    ),
    more: Type.Boolean({ description: 'More are live than are withdrawn in one go: ask again.' })
  },
  { $id: 'SharesRevoked' }
)
export type ShareRevokedMany = Static<typeof ShareRevokedMany>

export const LinkOpen = Type.Object(
  { link: Type.String({ minLength: 1, maxLength: 4096, description: 'The link, or its token.' }) },
  { additionalProperties: false }
)

const asSpecialistSees = {
  id: Id,
  case: Id,
  patient: Type.Optional(Patient),
  pseudonymised: Type.Optional(Pseudonymised),
  question: Type.String(),
  request: Type.Optional(SharedRequest),
  purpose: Type.String(),
  from: Type.Object({ organisation: Type.String(), clinician: Type.String() }),
  expiresAt: Timestamp,
  openUntil: Type.String({
    format: 'date-time',
    description: 'Until then content can be read; after it, open the link again.'
  }),
  openings: Type.Integer(),
  openingsMax: Type.Optional(Type.Integer()),
  ...clock
}

/** A share as its specialist sees it on opening: what is in it, in short. */
export const OpenedShare = Type.Object(
  { ...asSpecialistSees, records: Type.Array(RecordSummary) },
  { $id: 'OpenedShare' }
)
export type OpenedShare = Static<typeof OpenedShare>

/** The same with every file: a study may have thousands. */
export const ShareManifest = Type.Object(
  { ...asSpecialistSees, records: Type.Array(RecordView) },
  { $id: 'ShareManifest' }
)
export type ShareManifest = Static<typeof ShareManifest>
