import type { CustomFetch } from 'openid-client'

/** What an issuer says about itself, its keys, or a person takes a few kilobytes. */
export const ANSWER_BYTES_MAX = 262_144

/** An issuer of others could not be asked, or said nothing that could be read. */
export class IssuerUnreachable extends Error {
  readonly name = 'IssuerUnreachable'
}

/**
 * Asks an issuer, and reads no more of its answer than `ANSWER_BYTES_MAX`. Redirects are not followed:
 * where they lead was configured by nobody. Throws IssuerUnreachable when there is no answer, it is too
 * long, or it is the fault of a server; its message holds nothing that was sent or received.
 */
export const fetchFromIssuer: CustomFetch = async (url, { body, ...options }) => {
  try {
    const sent = { ...options, body: body ?? null } as RequestInit
    const answer = await fetch(url, sent)
    const bytes = await bounded(answer)
    const { status, headers } = answer
    if (status >= 500) throw new IssuerUnreachable(`status ${status}`)
    return new Response(bytes.length === 0 ? null : bytes, { status, headers })
  } catch (err) {
    if (err instanceof IssuerUnreachable) throw err
    const isLate = err instanceof DOMException
    throw new IssuerUnreachable(isLate ? 'no answer in time' : 'no connection')
  }
}

/** Why an issuer could not be asked, if that is behind an error of the library. */
export function unreachableIn(err: unknown): IssuerUnreachable | undefined {
  const cause = err instanceof Error ? err.cause : undefined
  return [err, cause].find(one => one instanceof IssuerUnreachable)
}

async function bounded({ body }: Response): Promise<Uint8Array<ArrayBuffer>> {
  const parts: Uint8Array[] = []
  let length = 0
  for await (const part of body ?? []) {
    length += part.length
    // Leaving the loop ends the connection.
    if (length > ANSWER_BYTES_MAX) throw new IssuerUnreachable('answer too long')
    parts.push(part)
  }
  return new Uint8Array(Buffer.concat(parts))
}
