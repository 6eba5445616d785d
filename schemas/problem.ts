import { type Static, Type } from 'typebox'
import { RefusedFile } from './inspection.ts'

/** RFC 9457 problem details. Clients act on `code`; `docs/api.md` lists them all. */
export const Problem = Type.Object(
  {
    type: Type.String({ description: 'urn:consilium:problem: and the code' }),
    title: Type.String(),
    status: Type.Integer(),
    detail: Type.String({ description: 'What to do next.' }),
    code: Type.String(),
    requestId: Type.String({ description: 'Quote it when you report a problem.' }),
    problems: Type.Optional(Type.Array(Type.String())),
    filePosition: Type.Optional(
      Type.Integer({ description: 'The file an upload stopped at, counted from 1.' })
    ),
    refused: Type.Optional(
      Type.Array(RefusedFile, { description: 'Every file of an upload of which none was taken.' })
    )
  },
  { $id: 'Problem' }
)
export type Problem = Static<typeof Problem>
