import { Ending } from './ending.ts'

/** The service turned a request down: RFC 9457, with the members of ours that are acted on. */
export class Refused extends Error {
  readonly status: number
  readonly code: string
  readonly title: string
  readonly detail: string
  /** Every file of an upload of which none was taken. */
  readonly files: RefusedPosition[]
  /** How long to wait, where the answer says so. */
  readonly retryMilliseconds: number | undefined
  /** Asked again with a new token, it may be granted. */
  mayPass = false

  constructor(status: number, body: string, retryAfter: string | undefined, now = Date.now()) {
    const problem = readProblem(body)
    super(`${status} ${problem.code}`)
    this.name = 'Refused'
    this.status = status
    this.code = problem.code
    this.title = problem.title
    this.detail = problem.detail
    this.files = problem.files
    this.retryMilliseconds = readRetryAfter(retryAfter, now)
  }
}

/** The line broke, nobody answered, or something else than the service did. */
export class LineBroken extends Error {}

export interface RefusedPosition {
  position: number
  code: string
  title: string
  detail: string
}

/** Longer texts of an answer are cut: they are shown on a terminal. */
const TEXT_CHARACTERS_MAX = 300
const CODE = /^[a-z][a-z0-9-]{1,60}$/

function readProblem(body: string) {
  const problem = membersOf(parsed(body))
  const code = CODE.test(String(problem.code)) ? String(problem.code) : 'unknown'
  const { title, detail } = facesOf(problem)
  const files = Array.isArray(problem.refused) ? problem.refused.flatMap(readPosition) : []
  return { code, title, detail, files }
}

function readPosition(value: unknown): RefusedPosition[] {
  const { position, code, ...rest } = membersOf(value)
  if (!Number.isSafeInteger(position) || !CODE.test(String(code))) return []
  return [{ position: Number(position), code: String(code), ...facesOf(rest) }]
}

function facesOf({ title, detail }: Record<string, unknown>) {
  return { title: textOf(title, 'Refused'), detail: textOf(detail, 'Ask the operator.') }
}

const membersOf = (value: unknown): Record<string, unknown> => ({ ...Object(value) })

const textOf = (value: unknown, fallback: string): string =>
  typeof value === 'string' ? value.slice(0, TEXT_CHARACTERS_MAX) : fallback

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** RFC 9110, section 10.2.3: seconds, or a date. */
function readRetryAfter(text: string | undefined, now: number): number | undefined {
  if (text === undefined) return undefined
  const wait = /^\d{1,7}$/.test(text) ? Number(text) * 1000 : Date.parse(text) - now
  return Number.isFinite(wait) ? Math.max(0, wait) : undefined
}

/** Trouble with the service that passes: it is worth asking again. */
export function isPassing(err: unknown): boolean {
  if (err instanceof LineBroken) return true
  if (!(err instanceof Refused)) return false
  if (err.mayPass) return true
  if (err.code === 'storage-full') return false
  // A request before, whose line broke, goes on in the service.
  if (err.code === 'draft-completing') return true
  return err.status >= 500 || [408, 423, 425, 429].includes(err.status)
}

/** A refusal that ends the whole run, as that; undefined for one that concerns what was sent. */
export function endingOf(err: unknown): Ending | undefined {
  if (err instanceof Ending) return err
  if (!(err instanceof Refused) || err.mayPass) return undefined
  const text = `${err.title} (${err.code}). ${err.detail}`
  if (err.code === 'storage-full') return new Ending('stopped', text, err.code)
  const isHidden = ['case-not-found', 'share-not-found'].includes(err.code)
  const isOver = ['share-expired', 'share-revoked'].includes(err.code)
  if (err.status === 401 || err.status === 403 || isHidden || isOver)
    return new Ending('unauthorised', text, err.code)
  return undefined
}
