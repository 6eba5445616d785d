import type { FastifyReply, FastifyRequest } from 'fastify'
import type { ConsentView } from '../../../schemas/consent.ts'
import type { SpecialistView } from '../../../schemas/specialist.ts'
import { readCase } from '../../cases/read.ts'
import { listConsents } from '../../consents/read.ts'
import type { Exchange } from '../../exchange.ts'
import { callerOf } from '../../http/area.ts'
import type { Caller } from '../../identity/principal.ts'
import { readSpecialist } from '../../register/search.ts'
import type { Web } from '../routes.ts'
import { lawOf } from './law.ts'
import { showSpecialist } from './people.ts'
import { basesFor } from './safeguard-form.ts'

export type OfChoice = { case: string; specialist: string }

/** The second step: what has to be in place before anything can go to this specialist. */
export async function groundsPage(
  { exchange, pages }: Web,
  request: FastifyRequest<{ Params: OfChoice }>,
  reply: FastifyReply
): Promise<FastifyReply> {
  const caller = callerOf(request)
  const { case: caseId, specialist } = request.params
  await readCase(exchange, caller, caseId)
  const { view } = await readSpecialist(exchange, caller, specialist)
  const { consents, secondOpinion, required } = await listConsents(exchange, caller, caseId)
  const agreed = consents.find(({ kind, state }) => kind === 'second-opinion' && state === 'given')
  const isReady = view.account !== undefined && view.state === 'verified'
  return pages.show(request, reply, 'sharing/grounds', {
    caseId,
    specialist: showSpecialist(pages.texts, view, exchange.clock()),
    isReady,
    consent: secondOpinion,
    isRequired: required,
    agreed,
    bases: basesFor(lawOf(pages.texts, view.country, exchange.clock())),
    transferConsents: fittingConsents(consents, view),
    mayGoOn: isReady && (secondOpinion === 'given' || (secondOpinion === 'none' && !required))
  })
}

/** Whether the consent of the patient is all that is asked for here: no basis is to be chosen. */
export function isReadyWithConsent({ exchange, pages }: Web, view: SpecialistView): boolean {
  const law = lawOf(pages.texts, view.country, exchange.clock())
  return view.account !== undefined && view.state === 'verified' && basesFor(law).length === 0
}

/** Consents to a transfer that hold and are for this country, and for nobody else. */
export function fittingConsents(
  consents: ConsentView[],
  { account, country }: SpecialistView
): ConsentView[] {
  return consents.filter(({ kind, state, transfer }) => {
    if (kind !== 'transfer' || state !== 'given' || transfer === undefined) return false
    const isForThem = transfer.specialist === undefined || transfer.specialist === account
    return transfer.country === country && isForThem
  })
}

/** What every further step needs to know of its case and its specialist. */
export async function readChoice(
  exchange: Exchange,
  caller: Caller,
  { case: caseId, specialist }: OfChoice
) {
  const found = await readCase(exchange, caller, caseId)
  const { view } = await readSpecialist(exchange, caller, specialist)
  return { found, view }
}
