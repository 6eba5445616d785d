import { randomBytes } from 'node:crypto'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import view from '@fastify/view'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import nunjucks from 'nunjucks'
import { publicFace, Refusal } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import { isPage, knownCaller } from '../http/area.ts'
import { describeAccount, homeOf } from '../identity/accounts.ts'
import { isOperating } from '../identity/operator.ts'
import type { Role } from '../identity/principal.ts'
import { openAssets } from './assets.ts'
import { bytesText, dateText, dayEndedAt, fromNowText, momentText } from './moments.ts'
import { readTexts, type Texts } from './texts.ts'
import { waysBack } from './way-back.ts'

const LANGUAGE = 'en'
const NONCE_BYTES = 16

/** For the administrators who keep it alone. */
const REGISTER = '/administration/register'

/** Where each role does its work; the first is where it begins. */
const NAVIGATION: Record<Role, { href: string; text: string }[]> = {
  clinician: [
    { href: '/cases', text: 'common.cases' },
    { href: '/shares', text: 'common.live-shares' },
    { href: '/specialists', text: 'common.specialists' }
  ],
  specialist: [{ href: '/reviews', text: 'common.reviews' }],
  auditor: [
    { href: '/log', text: 'common.access-log' },
    { href: '/log/integrity', text: 'common.integrity' }
  ],
  administrator: [
    { href: '/administration', text: 'common.administration' },
    { href: '/administration/people', text: 'common.people' },
    { href: REGISTER, text: 'common.specialists' },
    { href: '/administration/shares', text: 'common.live-shares' }
  ]
}

/** Where the work of a role begins. */
export const homeOfRole = (role: Role): string => NAVIGATION[role][0]?.href ?? '/'

/** What a template is given beside what everybody's pages have. */
export type Model = Record<string, unknown>

/** Shows a form again; the status of its answer is set. */
export type ShowAgain = (problems: { text: string }[], refusal: Refusal) => Promise<FastifyReply>

/** Shows pages: one way to greet, to keep browsers strict, and to say what went wrong. */
export interface Pages {
  texts: Texts
  /** Answers with a page: `template` below src/web/templates without its ending. */
  show(
    request: FastifyRequest,
    reply: FastifyReply,
    template: string,
    model?: Model
  ): Promise<FastifyReply>
  /**
   * Shows a form again, with what was typed, should the rest of this request be refused: `again` is
   * given what is wrong, for the summary at the head of the page. The refusal is on the access log by
   * then, as any other. Whoever has to show again who they are is led away and back, but for a form
   * that `staysForProof`: one on a page that came in answer to another form, to which no way leads back.
   */
  onRefusal(request: FastifyRequest, again: ShowAgain, staysForProof?: boolean): void
  /** The page to come back to from a path of ours: itself, or the nearest above it. */
  wayBack(path: string): string | undefined
  /** Answers a refusal: with the way to sign in where that is missing, else with what to do next. */
  showRefusal(request: FastifyRequest, reply: FastifyReply, refusal: Refusal): Promise<FastifyReply>
}

/** Prepares the pages of the service, and the files that browsers need for them. */
export function openPages(
  app: FastifyInstance,
  exchange: Pick<Exchange, 'database' | 'serviceKeys' | 'clock' | 'publicUrl'>
): Pages {
  const texts = readTexts(LANGUAGE)
  const assets = openAssets()
  const wayBack = waysBack(app)
  assets.routes(app)
  prepareViews(app, exchange, texts, assets.url)

  async function show(
    request: FastifyRequest,
    reply: FastifyReply,
    template: string,
    model: Model = {}
  ): Promise<FastifyReply> {
    const nonce = randomBytes(NONCE_BYTES).toString('base64')
    const viewer = await viewerOf(exchange, request)
    const timeZone = viewer?.timeZone ?? 'UTC'
    const html = await reply.viewAsync(template, {
      ...viewer,
      cspNonce: nonce,
      requestId: request.id,
      path: request.url.split('?')[0],
      moment: (at: string | number) => momentText(at, timeZone),
      deadline: (at: string | number) => deadlineText(texts, at, timeZone),
      ...model
    })
    return reply.headers(headersOfPages(nonce)).type('text/html; charset=utf-8').send(html)
  }

  const forms = new WeakMap<FastifyRequest, ShowAgain>()
  const staying = new WeakSet<FastifyRequest>()
  return {
    texts,
    show,
    wayBack,
    onRefusal(request, again, staysForProof = false) {
      forms.set(request, again)
      if (staysForProof) staying.add(request)
    },
    async showRefusal(request, reply, refusal) {
      const { status, title, next: nextOfApi } = publicFace(refusal.code)
      // What a machine is to do next is told in other words to a person.
      const own = `next.${refusal.code}`
      const next = texts.has(own) ? texts(own) : nextOfApi
      if (refusal.code === 'proof-needed' && !staying.has(request)) {
        return reply.redirect(proofPage(exchange, request), 303)
      }
      const again = status < 500 && status !== 401 ? forms.get(request) : undefined
      if (again !== undefined) {
        const { problems: told = [`${title}. ${next}`] } = refusal.extra
        reply.code(status)
        // What the form is about may be refused too: then there is nothing to fill in again.
        const sentences = told.map(text => ({ text }))
        const isShown = await again(sentences, refusal).then(() => true, ifRefused)
        if (isShown) return reply
      }
      if (status === 401 && request.method === 'GET') {
        return reply.redirect(`/sign-in?next=${encodeURIComponent(request.url)}`, 303)
      }
      const { problems = [], headers = {} } = refusal.extra
      const model = { status, code: refusal.code, title, next, problems }
      return show(request, reply.code(status).headers(headers), 'problem', model)
    }
  }
}

/** Templates of ours and of the design system, with what they may use. */
function prepareViews(
  app: FastifyInstance,
  { clock }: Pick<Exchange, 'clock'>,
  texts: Texts,
  asset: (name: string) => string
): void {
  const templates = [
    join(import.meta.dirname, 'templates'),
    join(createRequire(import.meta.url).resolve('nhsuk-frontend/package.json'), '../dist')
  ]
  const onConfigure = (environment: nunjucks.Environment) => {
    environment.addGlobal('t', texts)
    environment.addGlobal('asset', asset)
    environment.addFilter('date', dateText)
    environment.addFilter('bytes', bytesText)
    environment.addFilter('fromNow', (at: string | number) => fromNowText(at, clock()))
  }
  app.register(view, {
    engine: { nunjucks },
    templates: templates as unknown as string,
    viewExt: 'njk',
    options: { autoescape: true, trimBlocks: true, lstripBlocks: true, onConfigure }
  })
}

/** What is due by the end of a day says which day, and not the first moment of the next. */
function deadlineText(t: Texts, at: string | number, timeZone: string): string {
  const day = dayEndedAt(at, timeZone)
  return day === undefined ? momentText(at, timeZone) : t('common.end-of-day', { day })
}

function ifRefused(err: unknown): undefined {
  if (!(err instanceof Refusal)) throw err
}

/**
 * Where somebody uses their passkey once more, and comes from there back to the page they were on: the
 * one they asked for, or the one whose form they sent, which browsers tell.
 */
function proofPage({ publicUrl }: Pick<Exchange, 'publicUrl'>, request: FastifyRequest): string {
  const { referer = '' } = request.headers
  const from = referer.startsWith(`${publicUrl}/`) ? referer.slice(publicUrl.length) : '/'
  return `/prove?next=${encodeURIComponent(request.method === 'GET' ? request.url : from)}`
}

/** Whether an answer is to be a page: the route has one, or there is none and a browser asks. */
export function wantsPage(request: FastifyRequest): boolean {
  const { accept = '' } = request.headers
  const isBrowser = accept.includes('text/html')
  const isElsewhere = /^\/(v1|fhir|oidc|docs)(\/|$)/.test(request.url)
  return isBrowser && (isPage(request) || (request.is404 && !isElsewhere))
}

/** Whom a page greets, and whose clock it shows. */
async function viewerOf(
  exchange: Pick<Exchange, 'database' | 'serviceKeys'>,
  request: FastifyRequest
) {
  const caller = knownCaller(request)
  if (caller === undefined) return undefined
  const { database } = exchange
  const { name, organisation } = await describeAccount(exchange, caller.accountId)
  const { timeZone } = await homeOf(database.read, caller.organisationId)
  const [path = ''] = request.url.split('?')
  const isAdministrator = caller.role === 'administrator'
  const isOperator = isAdministrator && (await isOperating(database.read, caller.organisationId))
  const links = NAVIGATION[caller.role].filter(({ href }) => isOperator || href !== REGISTER)
  const current = links.findLast(({ href }) => path === href || path.startsWith(`${href}/`))
  return {
    viewer: { name, role: caller.role, organisation: organisation.name, isOperator },
    navigation: links.map(link => ({ ...link, current: link === current })),
    timeZone
  }
}

/**
 * Nothing of a page is kept by anybody, nothing in it comes from elsewhere, and no script runs that is
 * not ours (OWASP ASVS 5.0, 3.4). `same-origin` and not `no-referrer`: browsers would hide from us too
 * where our forms come from.
 */
const headersOfPages = (nonce: string): Record<string, string> => ({
  'cache-control': 'no-store',
  vary: 'cookie',
  'referrer-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=(), payment=(), usb=()',
  'content-security-policy': [
    "default-src 'none'",
    `script-src 'self' 'nonce-${nonce}'`,
    "style-src 'self'",
    "img-src 'self' data: blob:",
    "connect-src 'self'",
    "worker-src 'self'",
    "frame-src 'self' blob:",
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
    "object-src 'none'"
  ].join('; ')
})
