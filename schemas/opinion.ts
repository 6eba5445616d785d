import { type Static, Type } from 'typebox'
import { Id, Next, Timestamp } from './common.ts'
import { RefusedFile } from './inspection.ts'
import { QUESTION_NUMBER_MAX, QUESTIONS_MAX } from './request.ts'

// What comes back: the opinion, its addenda, and what is written about a share.

/** How an opinion stands to the diagnosis, or to the plan, that it was asked about. */
export const agreements = ['confirms', 'refines', 'differs', 'cannot-say'] as const
export type Agreement = (typeof agreements)[number]

/** What an answer comes to, where its question can be answered so: what is compared. */
export const stances = ['yes', 'no', 'conditional', 'cannot-say'] as const
export type Stance = (typeof stances)[number]

const TEXT_CHARACTERS_MAX = 10_000
const LINE_CHARACTERS_MAX = 1000

/** Files named one by one in a manifest. Of more, each record has a digest over all of its files. */
export const FILES_LISTED_MAX = 1000

const text = (description: string) =>
  Type.String({ minLength: 1, maxLength: TEXT_CHARACTERS_MAX, description })
const closed = { additionalProperties: false }

const Answer = Type.Object(
  {
    number: Type.Integer({ minimum: 1, maximum: QUESTION_NUMBER_MAX }),
    stance: Type.Optional(
      Type.Enum(stances, { description: 'What the answer comes to, if it is one of these.' })
    ),
    answer: Type.Optional(text('The answer, in words.')),
    declined: Type.Optional(text('Instead of an answer: why none is given.'))
  },
  closed
)
export type Answer = Static<typeof Answer>

const Judgement = Type.Object(
  {
    agreement: Type.Enum(agreements),
    comment: Type.Optional(text('Why, or how it differs.'))
  },
  closed
)

export type Judgement = Static<typeof Judgement>

const fields = {
  answers: Type.Array(Answer, { maxItems: QUESTIONS_MAX, description: 'By question number.' }),
  diagnosis: Type.Optional(Judgement),
  plan: Type.Optional(Judgement),
  recommendations: Type.Optional(text('What to do.')),
  furtherTests: Type.Optional(text('What else should be looked at.')),
  limits: Type.Optional(text('What this review could not see or judge.')),
  attachments: Type.Optional(
    Type.Array(Id, {
      maxItems: 20,
      uniqueItems: true,
      description: 'Records that you have added to this case, to go with the opinion.'
    })
  )
}

/** An opinion as it is written, whole. A draft may leave out what is not known yet. */
export const OpinionWrite = Type.Object(fields, closed)
export type OpinionWrite = Static<typeof OpinionWrite>

export const AddendumWrite = Type.Object({ text: text('What is added.') }, closed)
export const DeclineWrite = Type.Object(
  {
    reason: Type.String({ minLength: 1, maxLength: LINE_CHARACTERS_MAX, description: 'Why.' })
  },
  closed
)
export const MessageWrite = Type.Object({ text: text('The message.') }, closed)

const Asked = Type.Object({ number: Type.Integer(), text: Type.String() })

/** Who signed for an opinion, as their account said then. */
const Reviewer = Type.Object({
  account: Id,
  name: Type.String(),
  professionalBody: Type.Optional(Type.String()),
  registrationNumber: Type.Optional(Type.String()),
  organisation: Type.String(),
  country: Type.String()
})
export type Reviewer = Static<typeof Reviewer>

const handed = Type.Enum(['whole', 'part', 'none'] as const, {
  description: 'How much of it this service handed over to the specialist before they submitted.'
})

const ReviewedRecord = Type.Object({
  record: Id,
  kind: Type.String(),
  title: Type.String(),
  date: Type.String({ format: 'date' }),
  files: Type.Integer(),
  bytes: Type.Integer(),
  sha256: Type.String({
    description:
      'Over the digests of its files in their order, each as 64 small hexadecimal digits and a line feed.'
  }),
  handedOver: Type.Object(
    { whole: Type.Integer(), part: Type.Integer(), none: Type.Integer() },
    { description: 'How many of its files were handed over to the specialist whole, or in part.' }
  ),
  objects: Type.Optional(
    Type.Array(
      Type.Object({
        object: Id,
        bytes: Type.Integer(),
        sha256: Type.String(),
        handedOver: handed
      }),
      { description: `Its files, unless the share has more than ${FILES_LISTED_MAX}.` }
    )
  )
})
export type ReviewedRecord = Static<typeof ReviewedRecord>

const Attachment = Type.Object({
  record: Id,
  title: Type.String(),
  date: Type.String({ format: 'date' }),
  files: Type.Integer(),
  bytes: Type.Integer(),
  sha256: ReviewedRecord.properties.sha256
})
export type Attachment = Static<typeof Attachment>

/** The answer to an attachment: of its files, nothing of whom they show. */
export const Attached = Type.Object({
  record: Type.String({ format: 'uuid', description: 'Name it under attachments.' }),
  title: Type.String(),
  date: Type.String({ format: 'date' }),
  files: Type.Array(
    Type.Object({ fileName: Type.String(), bytes: Type.Integer(), sha256: Type.String() })
  ),
  refused: Type.Optional(Type.Array(RefusedFile))
})
export type Attached = Static<typeof Attached>

const signed = Type.String({
  description: 'Everything about it, signed by this service: a JWS in compact form (RFC 7515).'
})
const record = Type.Optional(
  Type.String({ format: 'uuid', description: 'The record that is its PDF, for the sender.' })
)

export const AddendumView = Type.Object({
  number: Type.Integer(),
  at: Timestamp,
  text: Type.String(),
  signed,
  record
})
export type AddendumView = Static<typeof AddendumView>

export const OpinionView = Type.Object(
  {
    share: Id,
    case: Id,
    state: Type.Enum(['draft', 'submitted'] as const),
    version: Type.Integer({ description: 'The same as in the ETag; 0 before it is saved.' }),
    questions: Type.Array(Asked),
    ...fields,
    missing: Type.Optional(
      Type.Array(Type.String(), { description: 'Of a draft: what it lacks to be submitted.' })
    ),
    savedAt: Type.Optional(Timestamp),
    submittedAt: Type.Optional(Timestamp),
    specialist: Type.Optional(Reviewer),
    reviewed: Type.Optional(Type.Array(ReviewedRecord)),
    signed: Type.Optional(signed),
    record,
    addenda: Type.Array(AddendumView),
    acknowledgedAt: Type.Optional(Timestamp),
    acknowledgedBy: Type.Optional(Id)
  },
  { $id: 'Opinion' }
)
export type OpinionView = Static<typeof OpinionView>

const Compared = Type.Object({
  differs: Type.Boolean(),
  by: Type.Array(Type.Object({ share: Id, agreement: Type.Enum(agreements) }))
})
export type Compared = Static<typeof Compared>

/** The opinions on one case, side by side. */
export const OpinionSummary = Type.Object(
  {
    case: Id,
    shares: Type.Array(
      Type.Object({
        share: Id,
        specialist: Type.Object({
          account: Id,
          name: Type.Optional(Type.String()),
          country: Type.String()
        }),
        state: Type.Enum(['awaited', 'submitted', 'declined', 'ended'] as const, {
          description: 'ended: the share is over and no opinion came.'
        }),
        submittedAt: Type.Optional(Timestamp),
        acknowledgedAt: Type.Optional(Timestamp),
        record,
        addenda: Type.Integer(),
        declinedAt: Type.Optional(Timestamp),
        reason: Type.Optional(Type.String({ description: 'Why it was declined.' }))
      }),
      { description: 'Newest first; the latest 200.' }
    ),
    diagnosis: Compared,
    plan: Compared,
    questions: Type.Array(
      Type.Object({
        ...Asked.properties,
        differs: Type.Boolean(),
        answers: Type.Array(
          Type.Object({
            share: Id,
            stance: Answer.properties.stance,
            answer: Type.Optional(Type.String()),
            declined: Type.Optional(Type.String())
          })
        )
      })
    ),
    differs: Type.Boolean({ description: 'Whether two specialists differ in anything above.' }),
    hint: Type.Optional(Type.String({ description: 'What may be done about it.' }))
  },
  { $id: 'OpinionSummary' }
)
export type OpinionSummary = Static<typeof OpinionSummary>

export const MessageView = Type.Object(
  {
    id: Id,
    at: Timestamp,
    from: Type.Object({
      account: Id,
      name: Type.Optional(Type.String()),
      side: Type.Enum(['sender', 'specialist'] as const)
    }),
    text: Type.String()
  },
  { $id: 'Message' }
)
export type MessageView = Static<typeof MessageView>

export const MessageList = Type.Object(
  { messages: Type.Array(MessageView), next: Next },
  { $id: 'MessageList' }
)
export type MessageList = Static<typeof MessageList>

export const Declined = Type.Object({ share: Id, declinedAt: Timestamp, reason: Type.String() })
export type Declined = Static<typeof Declined>
