import type { FastifyReply, FastifyRequest } from 'fastify'
import { PatientConfirm } from '../../../schemas/inspection.ts'
import type { RecordView } from '../../../schemas/record.ts'
import { readCase } from '../../cases/read.ts'
import { Refusal } from '../../errors.ts'
import { callerOf } from '../../http/area.ts'
import { isShownInPlace } from '../../records/in-place.ts'
import { confirmPatient } from '../../records/patient-confirmation.ts'
import { readRecord } from '../../records/read.ts'
import { formOf } from '../form.ts'
import type { Web } from '../routes.ts'
import { caseIdOf, isDoubtful } from './case.ts'
import { type FieldProblem, problemsOf, type RefusalsOfForm, requireNone, tell } from './form.ts'
import { shownPatient } from './patient.ts'
import { namesOf } from './people.ts'
import { shownRecord } from './shown-record.ts'

const REFUSED: RefusalsOfForm = {
  'confirmation-not-needed': { text: 'cases.refused-confirmation' }
}

/** What a page can show in place: pictures by themselves, the others with a script. */
const SHOWN = /^(image\/(png|jpeg)|application\/pdf|text\/plain)$/

/** One record with its files, and what its headers say against its patient. */
export async function showRecord(web: Web, request: FastifyRequest, reply: FastifyReply) {
  return web.pages.show(request, reply, 'cases/record', {
    ...(await modelOf(web, request)),
    typed: {}
  })
}

/** States why a record that names another patient is of this one, for good. */
export async function confirmRecord(web: Web, request: FastifyRequest, reply: FastifyReply) {
  const { exchange, pages } = web
  const { record } = request.params as OfRecord
  const model = await modelOf(web, request)
  const reason = formOf(request).text('reason')
  const found: FieldProblem[] = problemsOf(PatientConfirm, { reason }, pages.texts)
  if (found.length > 0)
    found.splice(0, found.length, { field: 'reason', text: pages.texts('cases.reason-length') })
  pages.onRefusal(request, (told, refusal) =>
    pages.show(request, reply, 'cases/record', {
      ...model,
      typed: { reason },
      ...tell(told, refusal, found, REFUSED, pages.texts)
    })
  )
  requireNone(found)
  await confirmPatient(exchange, callerOf(request), record, reason)
  return reply.redirect(`/cases/${caseIdOf(request)}/records/${record}`, 303)
}

/** One file, shown in place. What is shown is read by the browser as any download is, and recorded so. */
export async function showFile(web: Web, request: FastifyRequest, reply: FastifyReply) {
  const { object } = request.params as OfRecord & { object: string }
  const model = await modelOf(web, request)
  const file = model.files.find(({ id }) => id === object)
  if (file === undefined) throw new Refusal('object-not-found')
  return web.pages.show(request, reply, 'cases/file', { ...model, file })
}

interface OfRecord {
  record: string
}

async function modelOf({ exchange }: Web, request: FastifyRequest) {
  const caller = callerOf(request)
  const { record: id } = request.params as OfRecord
  const found = await readCase(exchange, caller, caseIdOf(request))
  const record: RecordView = await readRecord(exchange, caller, id)
  if (record.case !== found.id) throw new Refusal('record-not-found', 'of another case')
  const { patientConfirmation: confirmed } = record
  const nameOf = await namesOf(exchange, [record.createdBy, ...(confirmed ? [confirmed.by] : [])])
  return {
    case: found,
    patient: shownPatient(found.patient),
    record: { ...shownRecord(record, false), addedBy: nameOf(record.createdBy) },
    reasons: record.patientReasons ?? [],
    isDoubtful: isDoubtful(record),
    confirmation: confirmed && { ...confirmed, by: nameOf(confirmed.by) },
    files: record.objects.map(
      ({ id, fileName, type, bytes, sha256, patientMatch, scan, endToEnd, summary }) => ({
        id,
        fileName,
        type,
        bytes,
        sha256,
        isOther: patientMatch === 'mismatch',
        isInfected: scan === 'infected',
        content: `/v1/records/${record.id}/objects/${id}/content`,
        isShown:
          SHOWN.test(type) &&
          scan !== 'infected' &&
          // A PDF with scripts, or with files in it, is for a viewer of its own.
          (type !== 'application/pdf' || isShownInPlace({ type, endToEnd }, summary)),
        isPicture: type.startsWith('image/')
      })
    )
  }
}
