import { type Static, Type } from 'typebox'
import { Id, Timestamp } from './common.ts'

/** What an inspection tells of a file: what is in it, never whose it says it is. */

const text = Type.Optional(Type.String())
const whole = Type.Optional(Type.Integer())

const Dicom = Type.Object(
  {
    sopClass: text,
    sopInstance: text,
    study: text,
    series: text,
    transferSyntax: text,
    modality: text,
    bodyPart: text,
    studyDate: text,
    studyDescription: text,
    seriesDescription: text,
    seriesNumber: whole,
    instanceNumber: whole,
    frames: whole,
    rows: whole,
    columns: whole,
    burnedInAnnotation: Type.Optional(Type.Boolean()),
    identityRemoved: Type.Optional(Type.Boolean())
  },
  { description: 'From its header, as it stands there. Who it is of is left out.' }
)

const Pdf = Type.Object({
  pages: Type.Optional(Type.Integer({ description: 'Where all of them could be counted.' })),
  flags: Type.Array(
    Type.String({
      description:
        'javascript, launch, embedded-files, encrypted, open-action; not-fully-read where more may be hidden'
    })
  )
})

const Slide = Type.Object({
  levels: Type.Array(
    Type.Object({
      width: Type.Integer(),
      height: Type.Integer(),
      tileWidth: whole,
      tileHeight: whole
    })
  ),
  label: Type.Boolean({ description: 'It holds a photograph of its label.' }),
  macro: Type.Boolean({ description: 'It holds a photograph of the whole glass.' }),
  vendor: text
})

export const ObjectSummaryView = Type.Object({
  dicom: Type.Optional(Dicom),
  pdf: Type.Optional(Pdf),
  slide: Type.Optional(Slide),
  image: Type.Optional(Type.Object({ width: Type.Integer(), height: Type.Integer() })),
  notes: Type.Array(Type.Object({ code: Type.String(), text: Type.String() }))
})
export type ObjectSummaryView = Static<typeof ObjectSummaryView>

export const PatientMatchView = Type.Enum(['match', 'cannot-tell', 'mismatch'], {
  description:
    'Whether the headers name the patient of the case. A record with a mismatch cannot be shared before a clinician has confirmed it.'
})

export const PatientReasons = Type.Array(Type.String(), {
  description:
    'Why it is a mismatch: nhs-number-differs, hospital-number-differs, birth-date-differs, name-differs, several-patients'
})

export const PatientConfirmation = Type.Object({
  by: Id,
  at: Timestamp,
  reason: Type.Optional(Type.String({ description: 'Told to the organisation of the case alone.' }))
})

export const PatientConfirm = Type.Object(
  {
    reason: Type.String({
      minLength: 10,
      maxLength: 500,
      pattern: '\\S.*\\S',
      description: 'Why the record is of this patient all the same.'
    })
  },
  { additionalProperties: false }
)

const Series = Type.Object({
  uid: text,
  number: whole,
  modality: text,
  bodyPart: text,
  description: text,
  instances: Type.Integer(),
  frames: whole
})

export const StudyView = Type.Object({
  uid: text,
  date: text,
  description: text,
  modalities: Type.Array(Type.String()),
  instances: Type.Integer(),
  series: Type.Array(Series)
})

export const Duplicate = Type.Object({
  by: Type.Enum(['content', 'instance'], {
    description:
      'content: the same bytes. instance: the same SOP Instance UID and other bytes, so that one was changed.'
  }),
  count: Type.Integer(),
  objects: Type.Array(Type.Object({ record: Id, object: Id }), {
    description: 'At most 20 of them.'
  })
})
export type Duplicate = Static<typeof Duplicate>

/** One file of many that was not taken. */
export const RefusedFile = Type.Object({
  position: Type.Integer({ description: 'From 1, in the order of upload.' }),
  fileName: Type.String(),
  code: Type.String(),
  title: Type.String(),
  detail: Type.String({ description: 'What to do next.' })
})
export type RefusedFile = Static<typeof RefusedFile>
