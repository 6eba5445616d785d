import { type Static, Type } from 'typebox'
import { Id } from './common.ts'
import { recordKinds } from './record.ts'
import { conditionGroups } from './request.ts'

export const answerStatuses = ['present', 'missing', 'not-applicable'] as const
const status = Type.Enum(answerStatuses)
const RECORDS_MAX = 50
const words = { minLength: 1, maxLength: 1000 }

const Answer = Type.Object(
  {
    item: Type.String({ minLength: 1, maxLength: 64, description: 'Its id on the checklist.' }),
    status,
    records: Type.Optional(
      Type.Array(Id, {
        minItems: 1,
        maxItems: RECORDS_MAX,
        uniqueItems: true,
        description: 'Records of this case that are it, when it is present.'
      })
    ),
    note: Type.Optional(
      Type.String({ ...words, description: 'Where it is, for items that need not be a record.' })
    ),
    reason: Type.Optional(
      Type.String({ ...words, description: 'Why it is not applicable, when it is not.' })
    )
  },
  { additionalProperties: false }
)
export type Answer = Static<typeof Answer>

/** All answers at once. An item without one is missing. */
export const ChecklistWrite = Type.Object(
  { answers: Type.Array(Answer, { maxItems: 50 }) },
  { additionalProperties: false }
)
export type ChecklistWrite = Static<typeof ChecklistWrite>

const Item = Type.Object({
  id: Type.String(),
  label: Type.String(),
  required: Type.Boolean(),
  kinds: Type.Array(Type.Enum(recordKinds), { description: 'Records that may be it.' }),
  byNote: Type.Boolean({ description: 'A note of where it is will do.' }),
  daysMax: Type.Optional(Type.Integer({ description: 'Older than that is too old here.' })),
  status,
  records: Type.Array(
    Type.Object({ id: Id, date: Type.String({ format: 'date' }), stale: Type.Boolean() })
  ),
  note: Type.Optional(Type.String()),
  reason: Type.Optional(Type.String())
})

export const ChecklistView = Type.Object(
  {
    case: Id,
    version: Type.Integer({ description: 'Of the answers, the same as in the ETag.' }),
    conditionGroup: Type.Enum(conditionGroups),
    checklistVersion: Type.Integer(),
    enforced: Type.Boolean({ description: 'False until the request is written.' }),
    items: Type.Array(Item),
    missing: Type.Array(Type.String(), {
      description: 'Required items of the list, and fields of the request as request.…'
    }),
    stale: Type.Array(Type.String(), { description: 'Items with a record that is too old.' }),
    duplicates: Type.Array(
      Type.Object({
        sha256: Type.String(),
        objects: Type.Array(Type.Object({ record: Id, object: Id }))
      }),
      { description: 'Files that are in the case more than once.' }
    )
  },
  { $id: 'Checklist' }
)
export type ChecklistView = Static<typeof ChecklistView>
