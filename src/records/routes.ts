import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { Id } from '../../schemas/common.ts'
import { PatientConfirm } from '../../schemas/inspection.ts'
import { RecordList, RecordSummary, RecordView } from '../../schemas/record.ts'
import type { Exchange } from '../exchange.ts'
import { callerOf, type Guarded } from '../http/area.ts'
import { confirmPatient } from './patient-confirmation.ts'
import { accessByOwner, listRecords, readRecord } from './read.ts'
import { receiveForm, takeForms } from './receive-form.ts'
import { serveObject, serveRecord } from './serve.ts'
import { uploadRecord } from './upload.ts'

export function recordRoutes(exchange: Exchange, guarded: Guarded): FastifyPluginAsyncTypebox {
  const { limits } = exchange
  return async app => {
    await takeForms(app, limits)
    app.post(
      '/v1/cases/:case/records',
      {
        ...guarded('record.create', 'clinician'),
        schema: {
          tags: ['records'],
          summary:
            'Upload one record as multipart/form-data: kind, title and date, then one or many files',
          description:
            'Before a file, the field repr-digest may give its digest as in RFC 9530: sha-256=:base64:',
          consumes: ['multipart/form-data'],
          params: Type.Object({ case: Id }),
          response: { 201: RecordView }
        }
      },
      async (request, reply) => {
        const view = await receiveForm(exchange, request, parts =>
          uploadRecord(exchange, callerOf(request), request.params.case, parts)
        )
        return reply.code(201).header('location', `/v1/records/${view.id}`).send(view)
      }
    )
    app.get(
      '/v1/cases/:case/records',
      {
        ...guarded('record.list', 'clinician'),
        schema: {
          tags: ['records'],
          summary: 'Records of a case, oldest first',
          params: Type.Object({ case: Id }),
          response: { 200: RecordList }
        }
      },
      request => listRecords(exchange, callerOf(request), request.params.case)
    )
    app.get(
      '/v1/records/:record',
      {
        ...guarded('record.read', 'clinician'),
        schema: {
          tags: ['records'],
          summary: 'One record and its files',
          params: Type.Object({ record: Id }),
          response: { 200: RecordView }
        }
      },
      request => readRecord(exchange, callerOf(request), request.params.record)
    )
    app.post(
      '/v1/records/:record/patient-confirmation',
      {
        ...guarded('record.confirm-patient', 'clinician'),
        schema: {
          tags: ['records'],
          summary: 'State why a record that names another patient is of this one all the same',
          params: Type.Object({ record: Id }),
          body: PatientConfirm,
          response: { 200: RecordSummary }
        }
      },
      request =>
        confirmPatient(exchange, callerOf(request), request.params.record, request.body.reason)
    )
    app.route({
      method: ['GET', 'HEAD'],
      url: '/v1/records/:record/content',
      ...guarded('content.read', 'clinician'),
      schema: {
        tags: ['records'],
        summary: 'A record: its one file, or all of its files as a ZIP archive',
        params: Type.Object({ record: Id })
      },
      async handler(request, reply) {
        const access = await accessByOwner(exchange, callerOf(request), request.params.record)
        return serveRecord(exchange, access, request, reply)
      }
    })
    app.route({
      method: ['GET', 'HEAD'],
      url: '/v1/records/:record/objects/:object/content',
      ...guarded('content.read', 'clinician'),
      schema: {
        tags: ['records'],
        summary: 'One file of a record, or a range of it',
        params: Type.Object({ record: Id, object: Id })
      },
      async handler(request, reply) {
        const { record, object } = request.params
        const access = await accessByOwner(exchange, callerOf(request), record)
        return serveObject(exchange, access, object, request, reply)
      }
    })
  }
}
