import { Type } from 'typebox'

/** A UUID in its one spelling: small letters, nothing around it. Another would name nothing here. */
export const idOf = (description?: string) =>
  Type.String({
    format: 'uuid',
    pattern: '^[0-9a-f-]{36}$',
    ...(description !== undefined && { description })
  })
/** Of something that is made once, however often it is asked for. */
export const Attempt = (made: string) =>
  Type.String({
    pattern: '^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$',
    description: `A UUID (version 7) of your own. Asked again with it and the same fields, the answer is the ${made} that was made the first time.`
  })

export const Id = idOf()

/** From 1900 to 2999: what is outside is mistyped. */
const YEAR = '^(19|2\\d)\\d\\d-'
/** A day as people write it down. */
export const dayOf = (description: string) =>
  Type.String({ format: 'date', pattern: YEAR, description })
/** RFC 3339 with T and Z in capitals, and without leap seconds, which JavaScript cannot tell. */
export const Timestamp = Type.String({
  format: 'date-time',
  pattern: `${YEAR}\\d\\d-\\d\\dT\\d\\d:\\d\\d:[0-5]\\d(\\.\\d+)?(Z|[+-]\\d\\d:\\d\\d)$`,
  description: 'RFC 3339; answers are in UTC'
})

/** A page of a list, newest first. `next` is given while there is more; it is opaque. */
export const PageQuery = {
  cursor: Type.Optional(Type.String({ maxLength: 200, description: 'next of the page before' })),
  limit: Type.Optional(
    Type.String({ pattern: '^([1-9]|[1-9][0-9]|1[0-9][0-9]|200)$', description: '1 to 200; 50' })
  )
}

/** The same in a body. */
export const PageBody = {
  cursor: PageQuery.cursor,
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 200, default: 50 }))
}
export const Next = Type.Optional(Type.String({ description: 'cursor of the next page' }))

/** Turns a stored time, in milliseconds, into the form that crosses HTTP. */
export const timestamp = (milliseconds: number): string => new Date(milliseconds).toISOString()
