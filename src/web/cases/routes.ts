import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import { takeForms } from '../../records/receive-form.ts'
import type { Web } from '../routes.ts'
import { showCase } from './case.ts'
import { complete, saveChecklist, showChecklist } from './checklist.ts'
import { makeEnding, showEnding } from './close.ts'
import { searchCases, showCases } from './list.ts'
import { makeCase, showNewCase } from './new.ts'
import { confirmRecord, showFile, showRecord } from './record.ts'
import { saveRequest, showRequest } from './request.ts'
import { dropDraft, finishDraft, showDraft, showUpload, uploadByForm } from './upload.ts'

/** One page, or one step of one. */
type Step = (web: Web, request: FastifyRequest, reply: FastifyReply) => Promise<unknown>

/** The clinician's own work, up to a case that is ready to be shared. */
export function caseRoutes(web: Web): FastifyPluginAsync {
  const { guarded } = web
  const run = (step: Step) => (request: FastifyRequest, reply: FastifyReply) =>
    step(web, request, reply)
  return async app => {
    app.get('/cases', guarded('case.list', 'clinician'), run(showCases))
    app.post('/cases/search', guarded('case.search', 'clinician'), run(searchCases))
    app.get('/cases/new', guarded('case.create', 'clinician'), run(showNewCase))
    app.post('/cases/new', guarded('case.create', 'clinician'), run(makeCase))
    app.get('/cases/:case', guarded('case.read', 'clinician'), run(showCase))
    app.get('/cases/:case/request', guarded('request.read', 'clinician'), run(showRequest))
    app.post('/cases/:case/request', guarded('request.write', 'clinician'), run(saveRequest))
    app.get('/cases/:case/checklist', guarded('checklist.read', 'clinician'), run(showChecklist))
    app.post('/cases/:case/checklist', guarded('checklist.write', 'clinician'), run(saveChecklist))
    app.post('/cases/:case/complete', guarded('case.complete', 'clinician'), run(complete))
    for (const doing of ['close', 'reopen'] as const) {
      const rule = guarded(`case.${doing}`, 'clinician')
      app.get(`/cases/:case/${doing}`, rule, run(showEnding(doing)))
      app.post(`/cases/:case/${doing}`, rule, run(makeEnding(doing)))
    }
    const record = '/cases/:case/records/:record'
    app.get(record, guarded('record.read', 'clinician'), run(showRecord))
    app.post(
      `${record}/patient`,
      guarded('record.confirm-patient', 'clinician'),
      run(confirmRecord)
    )
    app.get(`${record}/files/:object`, guarded('record.read', 'clinician'), run(showFile))
    const draft = '/cases/:case/upload/:draft'
    app.get('/cases/:case/upload', guarded('draft.read', 'clinician'), run(showUpload))
    app.get(draft, guarded('draft.read', 'clinician'), run(showDraft))
    app.post(`${draft}/complete`, guarded('record.create', 'clinician'), run(finishDraft))
    app.post(`${draft}/discard`, guarded('draft.discard', 'clinician'), run(dropDraft))
    await app.register(async forms => {
      await takeForms(forms, web.exchange.limits)
      const rule = guarded('record.create', 'clinician')
      forms.post('/cases/:case/upload', rule, run(uploadByForm))
    })
  }
}
