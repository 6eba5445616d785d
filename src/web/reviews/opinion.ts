import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import type { OpinionView } from '../../../schemas/opinion.ts'
import { dayIn } from '../../calendar.ts'
import { Refusal } from '../../errors.ts'
import type { Exchange } from '../../exchange.ts'
import { callerOf } from '../../http/area.ts'
import { etagOf } from '../../http/if-match.ts'
import type { Caller } from '../../identity/principal.ts'
import { attachRecord } from '../../opinions/attachments.ts'
import { readOpinion, saveDraft } from '../../opinions/draft.ts'
import { previewOpinion } from '../../opinions/preview.ts'
import { isShownInPlace } from '../../records/in-place.ts'
import { receiveForm, takeForms } from '../../records/receive-form.ts'
import { readManifest } from '../../shares/open.ts'
import { lookAtReceived } from '../../shares/received.ts'
import { formOf } from '../form.ts'
import type { Web } from '../routes.ts'
import {
  differences,
  inWords,
  opinionTyped,
  requireJudged,
  requireShortTexts,
  type Typed,
  typedBefore,
  typedIn
} from './opinion-form.ts'

type Request = FastifyRequest<{ Params: { share: string } }>

/** States in which what was written can be read, and in which it can be gone on with. */
const READABLE = ['open', 'closed', 'openings-spent', 'expired']
/** Files named beside the form; more are on the page of the case. */
const FILES_BESIDE_MAX = 30
const SAVING_TRIES_MAX = 20

/** The opinion is written beside the records, as a draft that is saved whole. */
export function opinionRoutes(web: Web): FastifyPluginAsync {
  const { exchange, pages, guarded } = web
  return async app => {
    await app.register(attachingRoutes(web))
    app.get(
      '/reviews/:share/opinion',
      guarded('opinion.read', 'specialist'),
      async (request: Request, reply) => {
        const caller = callerOf(request)
        const { share } = request.params
        const review = await lookAtReceived(exchange, caller, share)
        if (!READABLE.includes(review.state) || review.openings === 0) {
          return pages.show(request, reply, 'reviews/received', { review })
        }
        const opinion = await readOpinion(exchange, caller, share)
        if (opinion.state === 'submitted') {
          return pages.show(request, reply, 'reviews/opinion-submitted', { share, opinion })
        }
        const typed = typedBefore(opinion)
        if (review.state === 'expired') {
          return pages.show(request, reply, 'reviews/opinion-kept', { review, opinion, typed })
        }
        const beside = review.state === 'open' ? await filesBeside(exchange, caller, share) : []
        const attachments = await attachedTo(exchange, caller, opinion)
        const model = { share, opinion, typed, beside, attachments }
        return pages.show(request, reply, 'reviews/opinion', model)
      }
    )
    app.post(
      '/reviews/:share/opinion',
      guarded('opinion.save', 'specialist'),
      async (request: Request, reply) => {
        const caller = callerOf(request)
        const { share } = request.params
        pages.onRefusal(request, (problems, refusal) =>
          showTyped(web, request, reply, problems, refusal)
        )
        const { questions } = await readOpinion(exchange, caller, share)
        const typed = typedIn(request.body, questions)
        requireShortTexts(typed, pages.texts)
        requireJudged(typed, pages.texts)
        const asked = { shareId: share, ifMatch: etagOf(Number(typed.version)) }
        await saveDraft(exchange, caller, asked, opinionTyped(typed, questions))
        const next = { check: '/submit', attach: '/attachments' }[formOf(request).text('onward')]
        return reply.redirect(`/reviews/${share}/opinion${next ?? '?saved=1'}`, 303)
      }
    )
  }
}

/**
 * The form again with what was typed. When somebody saved in between, what they saved stands beside it,
 * and saving again replaces that. When the share is over nothing can be looked up any more: then what
 * was typed is shown as it came, so that nothing is lost.
 */
async function showTyped(
  { exchange, pages }: Web,
  request: Request,
  reply: FastifyReply,
  problems: { text: string }[],
  refusal: Refusal
): Promise<FastifyReply> {
  const caller = callerOf(request)
  const { share } = request.params
  const stored = await readOpinion(exchange, caller, share).catch(ifRefused)
  if (stored === undefined || stored.state === 'submitted') {
    const texts = Object.entries(request.body ?? {}).filter(([name]) => /-|[a-z]{5}/.test(name))
    const typed = texts.flatMap(([name, text]) =>
      name !== 'version' && typeof text === 'string' && text !== '' ? [{ name, text }] : []
    )
    const told = inWords(typed, pages.texts)
    return pages.show(request, reply, 'reviews/typed', { share, problems, typed: told })
  }
  const typed = typedIn(request.body, stored.questions)
  const isConflict = refusal.code === 'version-changed'
  const theirs = isConflict ? differences(typed, typedBefore(stored)) : []
  const attachments = await attachedTo(exchange, caller, stored).catch(ifRefused)
  return pages.show(request, reply, 'reviews/opinion', {
    share,
    opinion: stored,
    typed: isConflict ? overStored(typed, stored) : typed,
    problems,
    theirs: inWords(theirs, pages.texts),
    beside: [],
    attachments: attachments ?? []
  })
}

/** What was typed, to be saved over what is stored: a file that was added there stays. */
function overStored(typed: Typed, { version, attachments = [] }: OpinionView): Typed {
  const both = [...new Set([...attachments, ...typed.attachments])]
  return { ...typed, version: String(version), attachments: both }
}

function ifRefused(err: unknown): undefined {
  if (!(err instanceof Refusal)) throw err
}

/** Records and files to read while one writes. */
async function filesBeside(exchange: Exchange, caller: Caller, share: string) {
  const { records } = await readManifest(exchange, caller, share)
  return records.map(({ id, title, date, objects }) => ({
    id,
    title,
    date,
    count: objects.length,
    files: objects
      .filter(object => isShownInPlace(object, object.summary))
      .slice(0, FILES_BESIDE_MAX)
      .map(object => ({ id: object.id, fileName: object.fileName }))
  }))
}

async function attachedTo(exchange: Exchange, caller: Caller, { share, attachments }: OpinionView) {
  if (attachments === undefined || attachments.length === 0) return []
  return (await previewOpinion(exchange, caller, share)).attachments
}

/** Files that go with the opinion, added on a page of their own. */
function attachingRoutes({ exchange, pages, guarded }: Web): FastifyPluginAsync {
  const show = (request: Request, reply: FastifyReply, model: Record<string, unknown>) =>
    pages.show(request, reply, 'reviews/attachment', {
      share: request.params.share,
      today: dayIn('UTC', exchange.clock()),
      ...model
    })
  return async app => {
    await takeForms(app, exchange.limits)
    app.get(
      '/reviews/:share/opinion/attachments',
      guarded('opinion.read', 'specialist'),
      async (request: Request, reply) => {
        await previewOpinion(exchange, callerOf(request), request.params.share)
        return show(request, reply, {})
      }
    )
    app.post(
      '/reviews/:share/opinion/attachments',
      guarded('record.create', 'specialist'),
      async (request: Request, reply) => {
        const caller = callerOf(request)
        const { share } = request.params
        pages.onRefusal(request, problems => show(request, reply, { problems }))
        const { record } = await receiveForm(exchange, request, parts =>
          attachRecord(exchange, caller, share, parts)
        )
        await nameIn(exchange, caller, share, record)
        return reply.redirect(`/reviews/${share}/opinion`, 303)
      }
    )
  }
}

/**
 * Names one more record in what is saved, whatever that is by now: it may be saved from another window
 * at every moment, and somebody who was refused then would upload the file once more.
 */
async function nameIn(exchange: Exchange, caller: Caller, share: string, record: string) {
  for (let tries = 1; ; tries += 1) {
    const before = await readOpinion(exchange, caller, share)
    const typed: Typed = typedBefore(before)
    typed.attachments = [...typed.attachments, record]
    const asked = { shareId: share, ifMatch: etagOf(before.version) }
    try {
      return await saveDraft(exchange, caller, asked, opinionTyped(typed, before.questions))
    } catch (err) {
      const isPassing = err instanceof Refusal && err.code === 'version-changed'
      if (!isPassing || tries === SAVING_TRIES_MAX) throw err
    }
  }
}
