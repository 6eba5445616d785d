import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Ending } from '../audit/disclosures.ts'
import type { AuditEvent } from '../audit/log.ts'
import type { Queries } from '../database/database.ts'
import { Refusal } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import { deliver } from '../http/deliver.ts'
import { planResponse } from '../http/ranges.ts'
import type { Caller } from '../identity/principal.ts'
import { type ObjectSource, openContent } from './content.ts'
import { inPlaceHeaders, isShownInPlace } from './in-place.ts'
import { contentDisposition } from './inspect/file-name.ts'
import { openSummary } from './object-summary.ts'
import { findObjects } from './queries.ts'
import { objectOf, openFileName, openRecordKey, type RecordInCase } from './record.ts'
import { withoutInfected } from './scan/quarantine.ts'
import { entryName, zipOf } from './zip.ts'

/** On what grounds somebody may read a record, and what the access log says of it. */
export interface Access {
  caller: Caller
  found: RecordInCase
  event: Omit<AuditEvent, 'outcome' | 'action'>
  /** Runs in the transaction that records the access, and throws a Refusal if it may not be. */
  stillGranted(tx: Queries): Promise<void>
  /** Asked while the stream runs. */
  mustEnd(): Promise<Ending | undefined>
}

/**
 * Sends a record: its one object, or all of its objects as a ZIP archive. HEAD and 304 send no
 * content, but tell of it, and are one event.
 */
export async function serveRecord(
  exchange: Exchange,
  given: Access,
  request: FastifyRequest,
  reply: FastifyReply
): Promise<unknown> {
  const { found } = given
  const objects = await findObjects(exchange.database.read, { recordId: found.record.id })
  const [only] = objects
  if (only !== undefined && objects.length === 1) {
    return serveObject(exchange, given, only.id, request, reply)
  }
  const access = withoutInfected(exchange.database, given)
  const headers = {
    ...contentHeaders,
    'content-type': 'application/zip',
    'content-disposition': contentDisposition(`${found.record.kind}-${found.record.id}.zip`)
  }
  if (request.method === 'HEAD') {
    await recordLook(exchange, access, { method: 'HEAD' })
    return reply.headers(headers).send()
  }

  const recordKey = await openRecordKey(exchange.keyring, found)
  const { organisationId } = found.case
  // Whatever may fail comes before the grant, which is on record from then on.
  const last = objects.at(-1)?.position ?? 0
  const named = objects.map(object => ({
    object,
    name: entryName(object.position, last, openFileName(recordKey, object))
  }))
  const disclosure = await grant(exchange, access, { archive: objects.length })
  const zip = await zipOf(
    named.map(({ object, name }) => ({
      name,
      bytes: object.bytes,
      modifiedAt: found.record.createdAt,
      open: () =>
        openContent(
          exchange.blobs,
          disclosure.receipt,
          { organisationId, recordKey, object },
          { start: 0, end: object.bytes }
        )
    }))
  )
  return deliver(exchange, reply, {
    caller: access.caller,
    status: 200,
    headers: { ...headers, 'content-length': String(zip.bytes) },
    disclosure,
    pull: zip.pull,
    close: zip.close,
    mustEnd: access.mustEnd
  })
}

/**
 * Sends one object, or the part of it that was asked for. With `inPlace` a browser shows it in a page
 * of ours if that is harmless, and saves it otherwise.
 */
export async function serveObject(
  exchange: Exchange,
  given: Access,
  objectId: string,
  request: FastifyRequest,
  reply: FastifyReply,
  inPlace = false
): Promise<unknown> {
  const { found } = given
  const object = await objectOf(exchange.database.read, found, objectId)
  const recordKey = await openRecordKey(exchange.keyring, found)
  const source: ObjectSource = { organisationId: found.case.organisationId, recordKey, object }
  const etag = `"${object.sha256.toString('base64url')}"`
  const isHead = request.method === 'HEAD'
  // RFC 9110, section 14.2: a Range of a method other than GET is ignored.
  const range = isHead ? undefined : request.headers.range
  const plan = planResponse({ ...request.headers, range }, etag, object.bytes)
  const event = { ...given.event, objectId }
  const about = withoutInfected(exchange.database, { ...given, event }, objectId)
  const headers = {
    ...contentHeaders,
    'accept-ranges': 'bytes',
    'content-type': object.type === 'application/age' ? 'application/octet-stream' : object.type,
    'content-disposition': contentDisposition(openFileName(recordKey, object)),
    'repr-digest': `sha-256=:${object.sha256.toString('base64')}:`,
    etag,
    ...(inPlace && isShownInPlace(object, openSummary(recordKey, object)) && inPlaceHeaders)
  }
  if (plan.status === 416) {
    throw new Refusal('range-not-satisfiable', undefined, {
      headers: { 'content-range': `bytes */${object.bytes}` },
      about: { ...withoutDetails(about.event) }
    })
  }
  if (plan.status === 304 || isHead) {
    await recordLook(exchange, about, { method: request.method, status: plan.status })
    if (plan.status !== 304) reply.header('content-length', String(object.bytes))
    return reply
      .code(plan.status === 304 ? 304 : 200)
      .headers(headers)
      .send()
  }

  const disclosure = await grant(exchange, about, { range: [plan.start, plan.end] })
  const content = await openContent(exchange.blobs, disclosure.receipt, source, plan).catch(
    async err => {
      await disclosure.complete('failed', 0)
      throw err
    }
  )
  return deliver(exchange, reply, {
    caller: about.caller,
    status: plan.status,
    headers: {
      ...headers,
      'content-length': String(plan.end - plan.start),
      ...(plan.status === 206 && {
        'content-range': `bytes ${plan.start}-${plan.end - 1}/${object.bytes}`
      })
    },
    disclosure,
    pull: content.pull,
    close: content.close,
    mustEnd: about.mustEnd
  })
}

/** Whatever the file is, a browser saves it and runs nothing of it. */
const contentHeaders = {
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  'content-security-policy': "sandbox; default-src 'none'; frame-ancestors 'none'"
}

/** The event that must be on the disk before the first byte of content leaves. */
function grant(exchange: Exchange, access: Access, more: Record<string, unknown>) {
  return exchange.disclosures.grant(async tx => {
    await access.stillGranted(tx)
    const details = { ...access.event.details, ...more }
    return { ...access.event, action: 'content.read', outcome: 'granted', details }
  })
}

/** The event of a request that was told about content but given none. */
async function recordLook(exchange: Exchange, access: Access, more: Record<string, unknown>) {
  await exchange.database.write(async tx => {
    await access.stillGranted(tx)
    await exchange.audit.append(tx, {
      ...access.event,
      action: 'content.read',
      outcome: 'success',
      bytesHandedOver: 0,
      details: { ...access.event.details, ...more }
    })
  })
}

function withoutDetails(event: Access['event']) {
  const { organisationId, caseId, recordId, objectId, shareId, patientRef, recipientCountry } =
    event
  const about = {
    organisationId,
    caseId,
    recordId,
    objectId,
    shareId,
    patientRef,
    recipientCountry
  }
  return Object.fromEntries(Object.entries(about).filter(([, value]) => value !== undefined))
}
