import type { FastifyReply, FastifyRequest } from 'fastify'
import type { OpinionSummary, OpinionView } from '../../../schemas/opinion.ts'
import { countryName } from '../../audit/report/wording.ts'
import { readCase } from '../../cases/read.ts'
import { Refusal } from '../../errors.ts'
import { callerOf } from '../../http/area.ts'
import { acknowledgeOpinion } from '../../opinions/acknowledge.ts'
import { readOpinion } from '../../opinions/draft.ts'
import { summariseOpinions } from '../../opinions/summary.ts'
import { agreementText, answerText, recordText, reviewerText } from '../../opinions/wording.ts'
import type { Web } from '../routes.ts'
import type { Texts } from '../texts.ts'
import type { OfCase } from './choose.ts'

type OfOpinion = OfCase & { share: string }

/** Everything that came back on a case, side by side, and what may be done where two differ. */
export async function opinionsPage(
  { exchange, pages }: Web,
  request: FastifyRequest<{ Params: OfCase }>,
  reply: FastifyReply
): Promise<FastifyReply> {
  const caller = callerOf(request)
  const { id } = await readCase(exchange, caller, request.params.case)
  const summary = await summariseOpinions(exchange, caller, id)
  const submitted = summary.shares.filter(({ state }) => state === 'submitted').toReversed()
  const awaited = summary.shares.filter(({ state }) => state !== 'submitted')
  const nameOf = (share: OpinionSummary['shares'][number]) =>
    share.specialist.name ?? share.specialist.account
  return pages.show(request, reply, 'sharing/opinions', {
    caseId: id,
    // What can be read comes before what is awaited.
    shares: [...submitted.toReversed(), ...awaited].map(share => ({
      ...share,
      name: nameOf(share),
      place: countryName(share.specialist.country)
    })),
    columns: submitted.map(nameOf),
    lines: submitted.length < 2 ? [] : comparedLines(pages.texts, summary, submitted),
    differs: summary.differs,
    asksThird: summary.hint !== undefined
  })
}

interface ComparedLine {
  about: string
  differs: boolean
  by: string[]
}

/** One line for diagnosis, plan and each question, with what each specialist says of it. */
function comparedLines(
  t: Texts,
  { diagnosis, plan, questions }: OpinionSummary,
  submitted: OpinionSummary['shares']
): ComparedLine[] {
  const ids = submitted.map(({ share }) => share)
  const judged = (about: string, { differs, by }: OpinionSummary['diagnosis']): ComparedLine => ({
    about,
    differs,
    by: ids.map(id => {
      const found = by.find(({ share }) => share === id)
      return found === undefined ? t('sharing.not-said') : agreementText[found.agreement]
    })
  })
  return [
    judged(t('sharing.diagnosis'), diagnosis),
    judged(t('sharing.plan'), plan),
    ...questions.map(({ number, text, differs, answers }) => ({
      about: `${t('sharing.question', { number })}: ${text}`,
      differs,
      by: ids.map(id => {
        const found = answers.find(({ share }) => share === id)
        return found === undefined ? t('sharing.not-said') : answerText({ number, ...found })
      })
    }))
  ]
}

/** One opinion, whole, as it was signed. */
export async function opinionPage(
  web: Web,
  request: FastifyRequest<{ Params: OfOpinion }>,
  reply: FastifyReply,
  problems: { text: string }[] = []
): Promise<FastifyReply> {
  const { exchange, pages } = web
  const { texts: t } = pages
  const opinion = await readOpinion(exchange, callerOf(request), request.params.share)
  if (opinion.case !== request.params.case) throw new Refusal('opinion-not-found')
  const answers = new Map(opinion.answers.map(answer => [answer.number, answer]))
  const { specialist, diagnosis, plan, reviewed = [] } = opinion
  const judgement = (judged: OpinionView['diagnosis']) =>
    judged && `${agreementText[judged.agreement]} ${judged.comment ?? ''}`.trim()
  return pages.show(request, reply, 'sharing/opinion', {
    opinion,
    reviewer: specialist && reviewerText(specialist),
    name: specialist?.name ?? '',
    questions: opinion.questions.map(({ number, text }) => {
      const answer = answers.get(number)
      return { number, text, answer: answer ? answerText(answer) : t('sharing.not-said') }
    }),
    diagnosis: judgement(diagnosis),
    plan: judgement(plan),
    seen: seenOf(reviewed),
    reviewed: reviewed.map(recordText),
    problems
  })
}

/** How many of the files that were shared were handed over whole before the opinion was signed. */
function seenOf(reviewed: NonNullable<OpinionView['reviewed']>) {
  const sum = (of: (record: (typeof reviewed)[number]) => number) =>
    reviewed.reduce((total, record) => total + of(record), 0)
  return { whole: sum(({ handedOver }) => handedOver.whole), files: sum(({ files }) => files) }
}

/** Says that it has been received. Its specialist is told. */
export async function acknowledge(
  web: Web,
  request: FastifyRequest<{ Params: OfOpinion }>,
  reply: FastifyReply
): Promise<FastifyReply> {
  const { exchange, pages } = web
  const { case: caseId, share } = request.params
  pages.onRefusal(request, problems => opinionPage(web, request, reply, problems))
  await acknowledgeOpinion(exchange, callerOf(request), share)
  return reply.redirect(`/cases/${caseId}/opinions/${share}`, 303)
}
