import { v7 as uuidv7 } from 'uuid'
import { timestamp } from '../../../schemas/common.ts'
import type { DeliveryView, NoticeKind, NoticeState } from '../../../schemas/notice.ts'
import type {
  WebhookCreate,
  WebhookCreated,
  WebhookSecret,
  WebhookView
} from '../../../schemas/webhook.ts'
import { actedBy } from '../../audit/acted-by.ts'
import { Refusal } from '../../errors.ts'
import type { Exchange } from '../../exchange.ts'
import { type Page, pageOf } from '../../http/page.ts'
import type { Caller } from '../../identity/principal.ts'
import {
  type DeliveryRow,
  insertWebhook,
  pageOfDeliveries,
  removeWebhookRow,
  replaceSecret,
  webhooksOf
} from './queries.ts'
import { newSecret } from './sign.ts'
import { TargetError } from './targets.ts'
import { findWebhook, sealPart, viewWebhook, type WebhookRow } from './webhook.ts'

export const WEBHOOKS_PER_ORGANISATION_MAX = 10
/** How long the secret before a new one still signs beside it. */
export const OLDER_SECRET_MILLISECONDS = 24 * 3_600_000

/**
 * Adds a webhook of the caller's organisation. Its address must be one that deliveries may go to, now
 * as at each delivery. Refusals: `request-invalid`, `webhook-address-refused`, `too-many-webhooks`.
 */
export async function createWebhook(
  exchange: Exchange,
  caller: Caller,
  wanted: WebhookCreate
): Promise<WebhookCreated> {
  const { database, serviceKeys, clock, targets } = exchange
  const problem = targets.problemOf(wanted.url)
  if (problem !== undefined) {
    throw new Refusal('request-invalid', undefined, { problems: [problem] })
  }
  const url = new URL(wanted.url)
  await targets.check(url).catch(err => {
    // Whether a name is unknown or leads inside is not for the caller to learn from us.
    throw err instanceof TargetError ? new Refusal('webhook-address-refused', err.code) : err
  })
  const now = clock()
  const id = uuidv7({ msecs: now })
  const secret = newSecret()
  const row = {
    id,
    organisationId: caller.organisationId,
    createdBy: caller.accountId,
    kinds: (wanted.kinds ?? []).join(' '),
    urlSealed: sealPart(serviceKeys, 'url', id, url.href),
    secretSealed: sealPart(serviceKeys, 'secret', id, secret),
    olderSecretSealed: null,
    olderSecretUntil: null,
    createdAt: now,
    failingSince: null,
    disabledAt: null,
    disabledCode: null,
    removedAt: null
  }
  await database.write(async tx => {
    if (!(await insertWebhook(tx, row, WEBHOOKS_PER_ORGANISATION_MAX))) {
      throw new Refusal('too-many-webhooks')
    }
    await exchange.audit.append(tx, {
      action: 'webhook.create',
      outcome: 'success',
      ...actedBy(caller, { kinds: wanted.kinds ?? [], webhook: id })
    })
  })
  return { ...viewWebhook(serviceKeys, { ...row, slot: 0 }, now), secret }
}

/** Every webhook of the caller's organisation, the oldest first. */
export async function listWebhooks(
  exchange: Exchange,
  caller: Caller
): Promise<{ webhooks: WebhookView[] }> {
  const { database, serviceKeys, clock } = exchange
  const rows = await webhooksOf(database.read, caller.organisationId)
  const webhooks = rows.map(row => viewWebhook(serviceKeys, row, clock()))
  await exchange.audit.add({
    action: 'webhook.list',
    outcome: 'success',
    ...actedBy(caller, { shown: rows.map(row => row.id) })
  })
  return { webhooks }
}

/** Removes a webhook for good, with its address and its secrets. What waits for it is dropped. */
export async function removeWebhook(
  exchange: Exchange,
  caller: Caller,
  id: string
): Promise<WebhookView> {
  const row = await ownWebhook(exchange, caller, id)
  const now = exchange.clock()
  await exchange.database.write(async tx => {
    if (!(await removeWebhookRow(tx, id, now))) throw new Refusal('webhook-not-found', 'gone')
    await exchange.audit.append(tx, {
      action: 'webhook.remove',
      outcome: 'success',
      ...actedBy(caller, { webhook: id })
    })
  })
  return viewWebhook(exchange.serviceKeys, row, now)
}

/**
 * Gives a webhook a new secret. The one before signs beside it for a day, so that its receiver can
 * take the new one over without losing a delivery; one before that signs nothing any more.
 */
export async function rotateSecret(
  exchange: Exchange,
  caller: Caller,
  id: string
): Promise<WebhookSecret> {
  await ownWebhook(exchange, caller, id)
  const secret = newSecret()
  const sealed = sealPart(exchange.serviceKeys, 'secret', id, secret)
  const until = exchange.clock() + OLDER_SECRET_MILLISECONDS
  await exchange.database.write(async tx => {
    if (!(await replaceSecret(tx, id, sealed, until))) {
      throw new Refusal('webhook-not-found', 'gone')
    }
    await exchange.audit.append(tx, {
      action: 'webhook.rotate',
      outcome: 'success',
      ...actedBy(caller, { webhook: id })
    })
  })
  return { id, secret, olderUntil: timestamp(until) }
}

/** What became of the deliveries to a webhook, newest first. */
export async function listDeliveries(
  exchange: Exchange,
  caller: Caller,
  id: string,
  page: Page
): Promise<{ deliveries: DeliveryView[]; next?: string }> {
  const { database, limits, audit } = exchange
  await ownWebhook(exchange, caller, id)
  const { rows, next } = await pageOf(page, limits, (before, limit) =>
    pageOfDeliveries(database.read, { webhookId: id, before, limit })
  )
  await audit.add({
    action: 'webhook.deliveries',
    outcome: 'success',
    ...actedBy(caller, { shown: rows.map(row => row.id), webhook: id })
  })
  return { deliveries: rows.map(viewDelivery), ...(next && { next }) }
}

/** A webhook of the caller's organisation. To others it does not exist. */
async function ownWebhook(exchange: Exchange, caller: Caller, id: string): Promise<WebhookRow> {
  const row = await findWebhook(exchange.database.read, id)
  if (row === undefined) throw new Refusal('webhook-not-found', 'unknown')
  if (row.organisationId !== caller.organisationId) {
    const about = { organisationId: row.organisationId }
    throw new Refusal('webhook-not-found', 'of another organisation', { about })
  }
  return row
}

/** What all notices show of themselves. */
export function viewDelivery(row: DeliveryRow): DeliveryView {
  const { caseId, shareId, invitationId, code, endedAt } = row
  return {
    id: row.id,
    kind: row.kind as NoticeKind,
    ...(caseId !== null && { case: caseId }),
    ...(shareId !== null && { share: shareId }),
    ...(invitationId !== null && { invitation: invitationId }),
    state: row.state as NoticeState,
    attempts: row.attempts,
    ...(code !== null && { problem: code }),
    createdAt: timestamp(row.createdAt),
    ...(row.state === 'waiting' && row.attempts > 0 && { nextAttemptAt: timestamp(row.nextAt) }),
    ...(endedAt !== null && { endedAt: timestamp(endedAt) })
  }
}
