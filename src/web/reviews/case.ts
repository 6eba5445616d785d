import type { FastifyPluginAsync, FastifyRequest } from 'fastify'
import type { RecordView } from '../../../schemas/record.ts'
import type { ShareManifest } from '../../../schemas/share.ts'
import { callerOf } from '../../http/area.ts'
import { listMessages } from '../../opinions/messages.ts'
import { isShownInPlace } from '../../records/in-place.ts'
import { readManifest } from '../../shares/open.ts'
import { lookAtReceived } from '../../shares/received.ts'
import { shownPatient } from '../cases/patient.ts'
import type { Web } from '../routes.ts'

/** Files of one record that the page of the case lists itself. Of a study it tells series by series. */
const FILES_SHOWN_MAX = 12
/** The latest messages are on the page of the case; all are on their own. */
const MESSAGES_SHOWN_MAX = 3

/** The whole case on one page, if it can be read now; else where it stands and what to do about it. */
export function caseRoutes({ exchange, pages, guarded }: Web): FastifyPluginAsync {
  return async app => {
    app.get(
      '/reviews/:share',
      guarded('share.read', 'specialist'),
      async (request: FastifyRequest<{ Params: { share: string } }>, reply) => {
        const caller = callerOf(request)
        const { share } = request.params
        const review = await lookAtReceived(exchange, caller, share)
        if (review.state !== 'open') {
          return pages.show(request, reply, 'reviews/received', { review })
        }
        const manifest = await readManifest(exchange, caller, share)
        const page = { limit: MESSAGES_SHOWN_MAX }
        const { messages, next } = await listMessages(exchange, caller, share, page)
        return pages.show(request, reply, 'reviews/case', {
          review,
          shared: manifest,
          patientNumber: manifest.patient && shownPatient(manifest.patient).number,
          questions: questionsOf(manifest),
          records: manifest.records.map(record => recordOnPage(record, FILES_SHOWN_MAX)),
          messages,
          olderMessages: next !== undefined
        })
      }
    )
  }
}

/** What is asked, with the numbers by which it is answered. */
function questionsOf({ request, question }: ShareManifest) {
  const asked = request?.questions ?? []
  return asked.length > 0 ? asked : [{ number: 1, text: question }]
}

/** A record with some of its files, each with what a browser can do with it. */
export function recordOnPage(record: RecordView, filesMax: number, from = 0) {
  const { objects, ...rest } = record
  return {
    ...rest,
    fileCount: objects.length,
    files: objects.slice(from, from + filesMax).map(object => ({
      ...object,
      inPlace: isShownInPlace(object, object.summary)
    }))
  }
}
