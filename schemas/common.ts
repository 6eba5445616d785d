import { Type } from 'typebox'

export const Id = Type.String({ format: 'uuid' })
export const Timestamp = Type.String({ format: 'date-time', description: 'RFC 3339, UTC' })

/** A page of a list, newest first. `next` is given while there is more; it is opaque. */
export const PageQuery = {
  cursor: Type.Optional(Type.String({ maxLength: 200, description: 'next of the page before' })),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 200, default: 50 }))
}
export const Next = Type.Optional(Type.String({ description: 'cursor of the next page' }))

/** Turns a stored time, in milliseconds, into the form that crosses HTTP. */
export const timestamp = (milliseconds: number): string => new Date(milliseconds).toISOString()
