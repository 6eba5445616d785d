import { type Static, Type } from 'typebox'
import { Id, Timestamp } from './common.ts'
import { Safeguard } from './transfer.ts'

const hours = Type.Integer({ minimum: 1, maximum: 720 })
const text = (description: string) => Type.String({ minLength: 1, maxLength: 1000, description })

/** Nothing of it is needed: an empty POST asks too. */
export const MoreTimeAsk = Type.Union([
  Type.Object(
    {
      hours: Type.Optional(hours),
      words: Type.Optional(text('Why, for the sender.'))
    },
    { additionalProperties: false }
  ),
  Type.Null()
])
export type MoreTimeAsk = Static<typeof MoreTimeAsk>

export const MoreTimeGive = Type.Object(
  {
    lifeHours: Type.Integer({ minimum: 1, maximum: 720, description: 'From now on.' }),
    safeguard: Type.Optional(Safeguard),
    overrideReason: Type.Optional(text('As for a new share; without it that of the old one.')),
    unasked: Type.Optional(
      Type.Boolean({ description: 'Give it although nobody asked. It answers whoever did.' })
    )
  },
  { additionalProperties: false }
)
export type MoreTimeGive = Static<typeof MoreTimeGive>

export const MoreTimeDecline = Type.Object(
  { reason: text('The specialist reads it.') },
  { additionalProperties: false }
)
export type MoreTimeDecline = Static<typeof MoreTimeDecline>

/** One time that more of it was asked for. Sender and specialist see the same. */
export const MoreTimeView = Type.Object(
  {
    id: Id,
    share: Id,
    askedAt: Timestamp,
    hours: Type.Optional(hours),
    words: Type.Optional(Type.String()),
    state: Type.Enum(['waiting', 'given', 'declined', 'lapsed'], {
      description:
        'lapsed: the share was withdrawn, or its opinion came back, before anybody answered.'
    }),
    answeredAt: Type.Optional(Timestamp),
    reason: Type.Optional(Type.String()),
    shareGiven: Type.Optional(Id)
  },
  { $id: 'MoreTime' }
)
export type MoreTimeView = Static<typeof MoreTimeView>

export const MoreTimeList = Type.Object({ requests: Type.Array(MoreTimeView) })
