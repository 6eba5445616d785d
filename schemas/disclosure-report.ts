import { type Static, Type } from 'typebox'
import { Patient, PatientIdentifier } from './case.ts'
import { Id, Timestamp } from './common.ts'
import { RecordKind } from './record.ts'
import { TransferBasis } from './transfer.ts'

/** Whose records, and since when. One of `patient` and `case`; the patient never in a URL. */
export const DisclosureReportAsked = Type.Object(
  {
    patient: Type.Optional(PatientIdentifier),
    case: Type.Optional(Id),
    from: Type.Optional(Timestamp),
    to: Type.Optional(Timestamp),
    format: Type.Optional(
      Type.Union([Type.Literal('pdf'), Type.Literal('json')], { default: 'pdf' })
    )
  },
  { additionalProperties: false }
)
export type DisclosureReportAsked = Static<typeof DisclosureReportAsked>

/** Where on the log something is: any tlog tool can prove it. */
const entry = {
  event: Id,
  index: Type.Integer({ description: 'Of its entry in the log, from 0.' })
}
const Entry = Type.Object(entry)

const London = Type.String({ description: 'The same moment on the clocks of the United Kingdom.' })

const Person = Type.Object({ id: Id, name: Type.Optional(Type.String()) })

const Reader = Type.Object({
  ...Person.properties,
  organisation: Type.Optional(Type.Object({ id: Id, name: Type.Optional(Type.String()) })),
  country: Type.Optional(Type.String({ description: 'ISO 3166-1 alpha-2' }))
})

const ReportedRecord = Type.Object({
  id: Id,
  kind: RecordKind,
  title: Type.Optional(Type.String()),
  date: Type.Optional(Type.String({ format: 'date' })),
  erased: Type.Optional(
    Type.Boolean({
      description: 'It was erased since, and its title and the names of its files with it.'
    })
  )
})
export type ReportedRecord = Static<typeof ReportedRecord>

/** What somebody got to see. Only the first three are content of a record. */
const whatKinds = ['record', 'file', 'part-of-file', 'summary', 'file-list', 'properties'] as const

/**
 * How it ended. The first four can be the reader's or the network's doing; `under-way` had not ended
 * when the report was made.
 */
const states = [
  'complete',
  'aborted',
  'failed',
  'revoked',
  'expired',
  'stopped',
  'interrupted',
  'under-way'
] as const

const Ending = Type.Object({
  state: Type.Enum(states),
  at: Type.Optional(Timestamp),
  bytes: Type.Optional(
    Type.Integer({ description: 'Given to the network: what arrived may be less, never more.' })
  ),
  entry: Type.Optional(Entry)
})
export type ReportedEnding = Static<typeof Ending>

export const Disclosure = Type.Object({
  ...entry,
  at: Timestamp,
  london: London,
  reader: Type.Optional(Reader),
  what: Type.Object({
    kind: Type.Enum(whatKinds),
    case: Type.Optional(Id),
    pseudonymised: Type.Optional(
      Type.Boolean({ description: 'It went out without the patient’s name.' })
    ),
    record: Type.Optional(ReportedRecord),
    /** How many files the record went out as. */
    files: Type.Optional(Type.Integer()),
    file: Type.Optional(
      Type.Object({ id: Id, name: Type.Optional(Type.String()), bytes: Type.Integer() })
    ),
    range: Type.Optional(
      Type.Object({ first: Type.Integer(), last: Type.Integer() }, { description: 'From byte 0.' })
    )
  }),
  share: Type.Optional(
    Type.String({
      format: 'uuid',
      description: 'The share that allowed it. Absent when it was staff of the organisation itself.'
    })
  ),
  address: Type.Optional(Type.String({ description: 'Where on the network it came from.' })),
  erased: Type.Optional(
    Type.Boolean({ description: 'Its details, the address among them, were erased by order.' })
  ),
  damaged: Type.Optional(
    Type.Boolean({
      description:
        'Its details, the address among them, were changed where they are kept. Verify the log.'
    })
  ),
  ending: Ending
})
export type Disclosure = Static<typeof Disclosure>

export const ReportedShare = Type.Object({
  id: Id,
  case: Id,
  madeAt: Timestamp,
  madeLondon: London,
  madeBy: Person,
  specialist: Reader,
  purpose: Type.Optional(Type.String({ description: 'Absent once the log has lost it too.' })),
  transfer: Type.Optional(TransferBasis),
  records: Type.Array(ReportedRecord),
  notBefore: Timestamp,
  expiresAt: Timestamp,
  validLondon: Type.Object({ from: Type.String(), to: Type.String() }),
  entry: Type.Optional(Entry),
  withdrawn: Type.Optional(
    Type.Object({ at: Timestamp, london: London, by: Person, entry: Type.Optional(Entry) })
  )
})
export type ReportedShare = Static<typeof ReportedShare>

/** Who saw a patient's records, on whose authority, and how to verify that the log says so. */
export const DisclosureReport = Type.Object(
  {
    id: Type.String({ format: 'uuid', description: 'The event on the log that this report is.' }),
    madeAt: Timestamp,
    madeLondon: London,
    madeBy: Person,
    organisation: Type.Object({
      id: Id,
      name: Type.String(),
      odsCode: Type.Optional(Type.String()),
      country: Type.String()
    }),
    about: Type.Object({ patient: Type.Optional(PatientIdentifier), case: Type.Optional(Id) }),
    patients: Type.Array(Type.Object({ ...Patient.properties, cases: Type.Array(Id) }), {
      description: 'As the cases hold them; none when there is nothing to report of a patient.'
    }),
    erasedCases: Type.Optional(
      Type.Array(Id, {
        description: 'Cases that were erased: the log still tells who saw them, but not of whom.'
      })
    ),
    period: Type.Object({
      from: Type.Optional(Timestamp),
      to: Timestamp,
      london: Type.Object({ from: Type.Optional(Type.String()), to: Type.String() })
    }),
    shares: Type.Array(ReportedShare),
    disclosures: Type.Array(Disclosure),
    refused: Type.Object({
      total: Type.Integer(),
      reasons: Type.Array(
        Type.Object({ code: Type.String(), title: Type.String(), count: Type.Integer() })
      )
    }),
    log: Type.Object({
      origin: Type.String(),
      size: Type.Integer(),
      checkpoint: Type.String({ description: 'Signed, verbatim: it covers every entry above.' }),
      keys: Type.Array(Type.String(), { description: 'Verifier keys of the log, oldest first.' }),
      proofs: Type.String({ description: 'Where the proof of each event is; no account needed.' })
    })
  },
  { $id: 'DisclosureReport' }
)
export type DisclosureReport = Static<typeof DisclosureReport>
