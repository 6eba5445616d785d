import { type Static, Type } from 'typebox'
import { Id, Timestamp } from '../../schemas/common.ts'

// What is read of the service's answers, and no more: a newer service may say more, and what is not
// of this form is not from this service. The full forms are in schemas/.

const Sha256 = Type.String({ pattern: '^[0-9a-f]{64}$' })
const Name = Type.String({ maxLength: 1000 })
const Count = Type.Integer({ minimum: 0 })

const RefusedFile = Type.Object({
  position: Type.Integer({ minimum: 1 }),
  code: Type.String({ maxLength: 100 }),
  title: Type.String({ maxLength: 1000 }),
  detail: Type.String({ maxLength: 1000 })
})

const ObjectAnswer = Type.Object({
  id: Id,
  fileName: Name,
  type: Type.String({ maxLength: 200 }),
  endToEnd: Type.Boolean(),
  bytes: Count,
  sha256: Sha256
})
export type ObjectAnswer = Static<typeof ObjectAnswer>

export const RecordAnswer = Type.Object({
  id: Id,
  kind: Type.String({ pattern: '^[a-z-]{1,40}$' }),
  title: Name,
  date: Type.String({ format: 'date' }),
  objects: Type.Array(ObjectAnswer),
  quarantine: Type.Optional(Type.String({ maxLength: 40 })),
  patientMatch: Type.Optional(Type.String({ maxLength: 40 })),
  duplicates: Type.Optional(Type.Array(Type.Object({ count: Count }))),
  refused: Type.Optional(Type.Array(RefusedFile))
})
export type RecordAnswer = Static<typeof RecordAnswer>

export const RecordsAnswer = Type.Object({
  records: Type.Array(
    Type.Object({
      id: Id,
      kind: Type.String(),
      title: Type.String(),
      date: Type.String(),
      bytes: Count,
      objectCount: Count
    })
  )
})

export const DraftAnswer = Type.Object({
  id: Id,
  uploads: Type.Array(
    Type.Object({
      id: Id,
      position: Type.Integer(),
      bytes: Count,
      offset: Count,
      state: Type.String({ maxLength: 40 }),
      code: Type.Optional(Type.String({ maxLength: 100 })),
      sha256: Type.Optional(Sha256)
    })
  )
})
export type DraftAnswer = Static<typeof DraftAnswer>

export const ShareAnswer = Type.Object({
  id: Id,
  from: Type.Object({ organisation: Name, clinician: Name }),
  expiresAt: Timestamp,
  openUntil: Timestamp,
  records: Type.Array(RecordAnswer)
})
export type ShareAnswer = Static<typeof ShareAnswer>

export const OpenedAnswer = Type.Object({ id: Id })

export const RecipientAnswer = Type.Object({
  account: Id,
  recipient: Type.String({ maxLength: 4000 }),
  fingerprint: Type.String({ maxLength: 100 }),
  postQuantum: Type.Boolean(),
  registeredAt: Timestamp,
  registeredBy: Id
})
export type RecipientAnswer = Static<typeof RecipientAnswer>
