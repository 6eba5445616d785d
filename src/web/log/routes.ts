import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import { sendExport } from '../../audit/ask/send-export.ts'
import { callerOf } from '../../http/area.ts'
import { formOf } from '../form.ts'
import type { Web } from '../routes.ts'
import { answerPage, askedBy } from './answer.ts'
import { eventPage } from './event.ts'
import { growthProof, integrityPage, verifyPage } from './integrity.ts'
import { liveSharesPage } from './live-shares.ts'
import { askPage, removeOwn, saveOwn } from './own-questions.ts'
import { reportFile, reportForm, reportPage } from './report.ts'

const formats = ['csv', 'ndjson', 'proof'] as const

/** What an auditor works with: questions to the access log, its proofs and its reports. */
export function logPages(web: Web): FastifyPluginAsync {
  const { guarded } = web
  const asking = guarded('audit.query', 'auditor')

  return async app => {
    app.get('/log', asking, (request, reply) => askPage(web, request, reply))
    app.post('/log/questions', guarded('question.save', 'auditor'), (request, reply) =>
      saveOwn(web, request, reply)
    )
    app.post<{ Params: { question: string } }>(
      '/log/questions/:question/remove',
      guarded('question.remove', 'auditor'),
      (request, reply) => removeOwn(web, request, reply)
    )
    // Also from an address: it can be kept, and led to from other pages. It never names a patient.
    app.get('/log/answer', asking, (request, reply) => answerPage(web, request, reply))
    app.post('/log/answer', asking, (request, reply) => answerPage(web, request, reply))
    app.get('/log/live-shares', asking, (request, reply) => liveSharesPage(web, request, reply))
    app.get<{ Params: { event: string } }>('/log/events/:event', asking, (request, reply) =>
      eventPage(web, request, reply)
    )
    const reporting = guarded('audit.report', 'auditor')
    app.get('/log/report', reporting, (request, reply) => reportForm(web, request, reply))
    app.post('/log/report', reporting, (request, reply) => reportPage(web, request, reply))
    app.post('/log/report/file', reporting, (request, reply) => reportFile(web, request, reply))
    const verifying = guarded('audit.verify', 'auditor')
    app.get('/log/integrity', verifying, (request, reply) => integrityPage(web, request, reply))
    app.get('/log/integrity/growth', verifying, (request, reply) =>
      growthProof(web, request, reply)
    )
    app.post('/log/integrity', verifying, (request, reply) => verifyPage(web, request, reply))
    app.post('/log/export', guarded.proven('audit.export', 'auditor'), (request, reply) =>
      exportFile(web, request, reply)
    )
  }
}

/** Sends everything that a question is about as a file. Needs a fresh proof of who asks. */
async function exportFile(web: Web, request: FastifyRequest, reply: FastifyReply) {
  const { exchange } = web
  const found = await askedBy(web, request, reply)
  if (found === undefined) return reply
  const format = formats.find(name => name === formOf(request).text('format')) ?? 'csv'
  return sendExport(exchange, callerOf(request), { ...found.asked, format }, reply)
}
