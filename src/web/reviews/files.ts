import type { FastifyPluginAsync, FastifyRequest } from 'fastify'
import { Refusal } from '../../errors.ts'
import { callerOf } from '../../http/area.ts'
import { isShownInPlace } from '../../records/in-place.ts'
import { serveObject } from '../../records/serve.ts'
import { accessByShare, readManifest } from '../../shares/open.ts'
import type { Web } from '../routes.ts'
import { recordOnPage } from './case.ts'

/** Files on one page of a record: a study may have thousands. */
const FILES_A_PAGE = 100

interface Place {
  Params: { share: string; record: string; object: string }
  Querystring: { page?: string }
}

/** All files of one record, and one file in its place. */
export function fileRoutes({ exchange, pages, guarded }: Web): FastifyPluginAsync {
  const recordOf = async (request: FastifyRequest<Place>) => {
    const { share, record: id } = request.params
    const { records } = await readManifest(exchange, callerOf(request), share)
    const record = records.find(each => each.id === id)
    if (record === undefined) throw new Refusal('record-not-found')
    return record
  }
  return async app => {
    app.get<Place>(
      '/reviews/:share/records/:record',
      guarded('share.read', 'specialist'),
      async (request, reply) => {
        const all = await recordOf(request)
        const last = Math.max(Math.ceil(all.objects.length / FILES_A_PAGE), 1)
        const page = Math.min(Math.max(Math.trunc(Number(request.query.page)) || 1, 1), last)
        const record = recordOnPage(all, FILES_A_PAGE, (page - 1) * FILES_A_PAGE)
        const { share } = request.params
        return pages.show(request, reply, 'reviews/record', { share, record, page, last })
      }
    )
    app.get<Place>(
      '/reviews/:share/records/:record/objects/:object',
      guarded('share.read', 'specialist'),
      async (request, reply) => {
        const { share, object: id } = request.params
        const record = await recordOf(request)
        const at = record.objects.findIndex(each => each.id === id)
        const file = record.objects[at]
        if (file === undefined) throw new Refusal('object-not-found')
        return pages.show(request, reply, 'reviews/file', {
          share,
          record: { id: record.id, title: record.title },
          file: { ...file, inPlace: isShownInPlace(file, file.summary) },
          before: record.objects[at - 1]?.id,
          after: record.objects[at + 1]?.id
        })
      }
    )
    app.get<Place>(
      '/reviews/:share/records/:record/objects/:object/content',
      guarded('content.read', 'specialist'),
      async (request, reply) => {
        const { share, record, object } = request.params
        const access = await accessByShare(exchange, callerOf(request), share, record)
        return serveObject(exchange, access, object, request, reply, true)
      }
    )
  }
}
