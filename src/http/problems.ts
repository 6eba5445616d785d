import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Problem } from '../../schemas/problem.ts'
import { BlobError } from '../blobs/blobs.ts'
import { publicFace, Refusal, type RefusalCode } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import { FHIR_JSON, isFhir, operationOutcome } from '../fhir/operation-outcome.ts'
import { SealError } from '../sealing/seal-error.ts'
import { type Pages, wantsPage } from '../web/pages.ts'
import { knownCaller, type Rule, ruleOf, traceOf } from './area.ts'
import { isId } from './page.ts'
import { networkOf } from './request-limiter.ts'

/** How long an upload that was refused half-way is still read, so that its client sees the answer. */
const DRAIN_MILLISECONDS = 2000

const withoutLog = new Set<RefusalCode>(['audit-unavailable', 'storage-low'])

/**
 * Answers every failure as problem details (RFC 9457), below /fhir as an OperationOutcome, and puts
 * every refusal in the access log before the answer leaves. If the log cannot be written the answer
 * is 503.
 */
export function answerProblems(app: FastifyInstance, exchange: Exchange, pages: Pages): void {
  async function answer(request: FastifyRequest, reply: FastifyReply, rule: Rule, err: unknown) {
    let refusal = asRefusal(err)
    if (refusal.code === 'internal-error' || refusal.status >= 500) {
      request.log.error({ err: refusal.cause ?? refusal, code: refusal.code }, 'failed')
    }
    // While the log is out of order there is nowhere to write that somebody was turned away.
    if (rule.action !== 'none' && !withoutLog.has(refusal.code)) {
      const caller = knownCaller(request)
      const turn = await exchange.refusals.count(caller?.accountId ?? networkOf(request.ip))
      if (turn !== 'within') {
        refusal = new Refusal('too-many-attempts', undefined, { headers: { 'retry-after': '60' } })
      }
      try {
        if (turn !== 'past' && !refusal.extra.recorded)
          await recordRefusal(exchange, request, rule.action, refusal)
      } catch (cause) {
        request.log.error({ err: cause }, 'refusal could not be recorded')
        refusal = new Refusal('audit-unavailable')
      }
    }
    return show(request, reply, refusal)
  }

  /** Whatever fails on the way to an answer, its words are not for whoever asked. */
  async function show(request: FastifyRequest, reply: FastifyReply, refusal: Refusal) {
    if (!wantsPage(request)) return sendProblem(request, reply, refusal)
    // A browser shows the answer to a form when all of it has left, or the connection ends.
    if (!request.raw.complete) readOn(request, reply)
    try {
      return await pages.showRefusal(request, reply, refusal)
    } catch (err) {
      if (reply.sent) throw err
      request.log.error({ err }, 'a page that tells of a refusal could not be shown')
      return sendProblem(request, reply, new Refusal('internal-error'))
    }
  }

  app.setErrorHandler((err, request, reply) =>
    answer(request, reply, ruleOf(request) ?? { action: 'none', roles: 'public' }, err)
  )
  app.setNotFoundHandler((request, reply) => {
    return show(request, reply, new Refusal('route-not-found'))
  })
}

/** Answers what fails before there is a route or a hook, such as an address that is no address. */
export function answerBadAddress(_err: Error, request: FastifyRequest, reply: FastifyReply): void {
  reply.header('x-request-id', request.id).header('x-content-type-options', 'nosniff')
  sendProblem(request, reply, new Refusal('request-invalid', 'address'))
}

/** One event: who was refused what, as far as both are known. */
async function recordRefusal(
  exchange: Exchange,
  request: FastifyRequest,
  action: Exclude<Rule['action'], 'none'>,
  refusal: Refusal
): Promise<void> {
  const caller = knownCaller(request)
  const { about = {}, action: tried = action, ...extra } = refusal.extra
  await exchange.audit.add({
    action: tried,
    outcome: 'refused',
    code: refusal.code,
    actorId: caller?.accountId,
    actorOrganisationId: caller?.organisationId,
    organisationId: caller?.organisationId,
    ...about,
    details: {
      ...(caller?.trace ?? traceOf(request)),
      // Of a caller nobody knows every auditor reads the event, so it names no object.
      ...(caller && { asked: idsIn(request.params) }),
      ...(extra.filePosition === undefined ? {} : { filePosition: extra.filePosition }),
      ...extra.logged
    }
  })
}

/** The ids in a path. Whatever else a client puts there may be a name, a number or a token. */
function idsIn(params: unknown): Record<string, string> {
  const entries = Object.entries({ ...Object(params) }).map(([name, value]) => [
    name,
    typeof value === 'string' && isId(value) ? value : 'not an id'
  ])
  return Object.fromEntries(entries)
}

/**
 * Answers what is not even a request, where that can be told apart: never into an answer under way,
 * whose reader would take these bytes for content.
 */
export function answerUnreadable(err: NodeJS.ErrnoException, socket: Socket): void {
  if (socket.writable && socket.bytesWritten === 0 && err.code !== 'ECONNRESET') {
    const code = err.code === 'HPE_HEADER_OVERFLOW' ? 'request-too-large' : 'request-invalid'
    const { status } = publicFace(code)
    const body = JSON.stringify(problemOf(new Refusal(code), 'none'))
    socket.write(
      `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\ncontent-type: application/problem+json\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n${body}`
    )
  }
  socket.destroy(err)
}

function sendProblem(request: FastifyRequest, reply: FastifyReply, refusal: Refusal): FastifyReply {
  const { status } = refusal
  const { headers } = refusal.extra
  if (headers !== undefined) reply.headers(headers)
  if (!request.raw.complete) discardBody(request, reply)
  const fhir = isFhir(request.url)
  return reply
    .code(status)
    .header('cache-control', 'no-store')
    .type(fhir ? FHIR_JSON : 'application/problem+json')
    .serializer(JSON.stringify)
    .send(fhir ? operationOutcome(refusal) : problemOf(refusal, request.id))
}

function problemOf(refusal: Refusal, requestId: string): Problem {
  const { status, title, next } = publicFace(refusal.code)
  const { problems, filePosition, refused } = refusal.extra
  return {
    type: `urn:consilium:problem:${refusal.code}`,
    title,
    status,
    detail: next,
    code: refusal.code,
    requestId,
    ...(problems === undefined ? {} : { problems }),
    ...(filePosition === undefined ? {} : { filePosition }),
    ...(refused === undefined ? {} : { refused })
  }
}

/**
 * The client is still sending. Reading on for a moment lets it see the answer instead of a broken
 * connection; then the connection closes, because the rest of the body may be gigabytes.
 */
function discardBody(request: FastifyRequest, reply: FastifyReply): void {
  readOn(request, reply)
  const timer = setTimeout(() => request.raw.destroy(), DRAIN_MILLISECONDS)
  timer.unref()
  request.raw.once('close', () => clearTimeout(timer))
}

/** Keeps nothing of what still comes, and ends the connection with the answer. */
function readOn(request: FastifyRequest, reply: FastifyReply): void {
  reply.header('connection', 'close')
  request.raw.unpipe()
  request.raw.resume()
}

/** What a failure means to the caller. Anything unforeseen is an internal error that tells nothing. */
function asRefusal(err: unknown): Refusal {
  if (err instanceof Refusal) return err
  if (err instanceof BlobError) {
    const code: Record<BlobError['code'], RefusalCode> = {
      'blob-store-full': 'storage-full',
      'blob-store-failed': 'storage-unavailable',
      'blob-missing': 'object-damaged'
    }
    return new Refusal(code[err.code], err.code, {}, err)
  }
  if (err instanceof SealError) {
    const code: Partial<Record<SealError['code'], RefusalCode>> = {
      'keys-unavailable': 'keys-unavailable',
      'sealing-stopped': 'storage-unavailable',
      'sealing-aborted': 'storage-unavailable'
    }
    return new Refusal(code[err.code] ?? 'object-damaged', err.code, {}, err)
  }
  const { statusCode, validation, validationContext, code } = err as Partial<FastifyError>
  if (validation !== undefined) {
    const problems = validation.map(
      problem => `${validationContext ?? 'request'}${problem.instancePath} ${problem.message ?? ''}`
    )
    return new Refusal('request-invalid', code, { problems })
  }
  if (statusCode === 413) return new Refusal('request-too-large', code)
  if (statusCode === 415) return new Refusal('media-type-refused', code)
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) {
    return new Refusal('request-invalid', code)
  }
  return new Refusal('internal-error', 'unforeseen', {}, err)
}
