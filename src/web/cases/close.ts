import type { FastifyReply, FastifyRequest } from 'fastify'
import { CaseClose, CaseReopen } from '../../../schemas/case.ts'
import { closeCase, reopenCase } from '../../cases/close.ts'
import { readCase } from '../../cases/read.ts'
import { callerOf } from '../../http/area.ts'
import { formOf } from '../form.ts'
import type { Web } from '../routes.ts'
import { caseIdOf } from './case.ts'
import { problemsOf, type RefusalsOfForm, requireNone, tell } from './form.ts'
import { shownPatient } from './patient.ts'

const REFUSED: RefusalsOfForm = {
  'case-shares-live': { field: 'revoke', text: 'cases.refused-shares-live' },
  'case-state-refused': { text: 'cases.refused-state' },
  'text-invalid': { field: 'reason' }
}

const schemas = { close: CaseClose, reopen: CaseReopen }

/** The page on which a case is closed, or opened again: both want a reason. */
export const showEnding =
  (doing: 'close' | 'reopen') =>
  async ({ exchange, pages }: Web, request: FastifyRequest, reply: FastifyReply) => {
    const found = await readCase(exchange, callerOf(request), caseIdOf(request))
    return pages.show(request, reply, 'cases/close', {
      doing,
      case: found,
      patient: shownPatient(found.patient),
      typed: {}
    })
  }

/** Closes a case, or opens it again, and leads back to it. */
export const makeEnding =
  (doing: 'close' | 'reopen') =>
  async ({ exchange, pages }: Web, request: FastifyRequest, reply: FastifyReply) => {
    const caller = callerOf(request)
    const found = await readCase(exchange, caller, caseIdOf(request))
    const form = formOf(request)
    const typed = { reason: form.text('reason'), revoke: form.text('revoke') === 'yes' }
    const { reason } = typed
    const labels = { reason: `cases.label-${doing}-reason` }
    const wrong = problemsOf(schemas[doing], { reason }, pages.texts, labels)
    pages.onRefusal(request, (told, refusal) =>
      pages.show(request, reply, 'cases/close', {
        doing,
        case: found,
        patient: shownPatient(found.patient),
        typed,
        ...tell(told, refusal, wrong, REFUSED, pages.texts)
      })
    )
    requireNone(wrong)
    if (doing === 'reopen') await reopenCase(exchange, caller, found.id, { reason })
    else await closeCase(exchange, caller, found.id, { reason, revokeShares: typed.revoke })
    return reply.redirect(`/cases/${found.id}`, 303)
  }
