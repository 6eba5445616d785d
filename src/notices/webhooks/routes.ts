import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { Id, PageQuery } from '../../../schemas/common.ts'
import { DeliveryList } from '../../../schemas/notice.ts'
import {
  WebhookCreate,
  WebhookCreated,
  WebhookList,
  WebhookSecret,
  WebhookView
} from '../../../schemas/webhook.ts'
import type { Exchange } from '../../exchange.ts'
import { callerOf, type Guarded } from '../../http/area.ts'
import {
  createWebhook,
  listDeliveries,
  listWebhooks,
  removeWebhook,
  rotateSecret
} from './manage.ts'

const params = Type.Object({ webhook: Id })

/** What an administrator does with the webhooks of their organisation. */
export function webhookRoutes(exchange: Exchange, guarded: Guarded): FastifyPluginAsyncTypebox {
  return async app => {
    app.post(
      '/v1/webhooks',
      {
        ...guarded.proven('webhook.create', 'administrator'),
        schema: {
          tags: ['webhooks'],
          summary: 'Have a system of your organisation told of what happens',
          body: WebhookCreate,
          response: { 201: WebhookCreated }
        }
      },
      async (request, reply) => {
        const made = await createWebhook(exchange, callerOf(request), request.body)
        // The secret is in it.
        return reply.code(201).header('cache-control', 'no-store').send(made)
      }
    )
    app.get(
      '/v1/webhooks',
      {
        ...guarded('webhook.list', 'administrator'),
        schema: {
          tags: ['webhooks'],
          summary: 'Webhooks of your organisation',
          response: { 200: WebhookList }
        }
      },
      request => listWebhooks(exchange, callerOf(request))
    )
    app.delete(
      '/v1/webhooks/:webhook',
      {
        ...guarded('webhook.remove', 'administrator'),
        schema: {
          tags: ['webhooks'],
          summary: 'Remove a webhook for good',
          params,
          response: { 200: WebhookView }
        }
      },
      request => removeWebhook(exchange, callerOf(request), request.params.webhook)
    )
    app.post(
      '/v1/webhooks/:webhook/secret',
      {
        ...guarded.proven('webhook.rotate', 'administrator'),
        schema: {
          tags: ['webhooks'],
          summary: 'Give a webhook a new secret; the one before signs beside it for a day',
          params,
          response: { 200: WebhookSecret }
        }
      },
      async (request, reply) => {
        const made = await rotateSecret(exchange, callerOf(request), request.params.webhook)
        return reply.header('cache-control', 'no-store').send(made)
      }
    )
    app.get(
      '/v1/webhooks/:webhook/deliveries',
      {
        ...guarded('webhook.deliveries', 'administrator'),
        schema: {
          tags: ['webhooks'],
          summary: 'What became of the deliveries to a webhook, newest first',
          params,
          querystring: Type.Object(PageQuery, { additionalProperties: false }),
          response: { 200: DeliveryList }
        }
      },
      request => listDeliveries(exchange, callerOf(request), request.params.webhook, request.query)
    )
  }
}
