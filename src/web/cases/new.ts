import type { FastifyReply, FastifyRequest } from 'fastify'
import { CaseCreate, NHS_NUMBER_SYSTEM } from '../../../schemas/case.ts'
import { createCase } from '../../cases/create.ts'
import { callerOf } from '../../http/area.ts'
import { formOf } from '../form.ts'
import type { Web } from '../routes.ts'
import { dateOf, problemsOf, type RefusalsOfForm, requireNone, tell, typedDate } from './form.ts'

/** Numbers of hospitals have no register of issuers here: the organisation itself stands for it. */
const HOSPITAL_SYSTEM = 'urn:consilium:hospital-number'

const REFUSED: RefusalsOfForm = {
  'nhs-number-invalid': { field: 'patient-identifier-value', text: 'cases.refused-nhs-number' }
}

export async function showNewCase({ pages }: Web, request: FastifyRequest, reply: FastifyReply) {
  return pages.show(request, reply, 'cases/new', { typed: { kind: 'nhs-number' } })
}

/** Makes a case from the form, and leads to its page. */
export async function makeCase(
  { exchange, pages }: Web,
  request: FastifyRequest,
  reply: FastifyReply
) {
  const form = formOf(request)
  const typed = {
    kind: form.text('kind') === 'hospital' ? 'hospital' : 'nhs-number',
    number: form.text('patient-identifier-value'),
    name: form.text('patient-name'),
    birthDate: typedDate(form, 'patient-birthDate'),
    question: form.text('question')
  }
  const system = typed.kind === 'hospital' ? HOSPITAL_SYSTEM : NHS_NUMBER_SYSTEM
  const wanted = {
    patient: {
      identifier: { system, value: typed.number },
      name: typed.name,
      birthDate: dateOf(typed.birthDate)
    },
    question: typed.question
  }
  const found = problemsOf(CaseCreate, wanted, pages.texts)
  pages.onRefusal(request, (told, refusal) =>
    pages.show(request, reply, 'cases/new', {
      typed,
      ...tell(told, refusal, found, REFUSED, pages.texts)
    })
  )
  requireNone(found)
  const { id } = await createCase(exchange, callerOf(request), wanted)
  return reply.redirect(`/cases/${id}`, 303)
}
