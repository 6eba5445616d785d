import type { OpinionSummary, OpinionView, OpinionWrite } from '../../schemas/opinion.ts'
import {
  type Answer,
  type Client,
  openShare,
  type PersonName,
  recordForm,
  type SampleFile,
  type ShareMade,
  shareRecords,
  type TestExchange
} from '../helpers/exchange.ts'
import { completeCase } from '../helpers/request.ts'

export type { OpinionSummary, OpinionView }

/** A whole opinion on the two questions of `wholeRequest`, none of whose words is anywhere else. */
export function wholeOpinion(change: Partial<OpinionWrite> = {}): OpinionWrite {
  return {
    answers: [
      {
        number: 1,
        stance: 'yes',
        answer: 'The bittern is to be excised, with a sandpiper margin.'
      },
      { number: 2, declined: 'No curlew was among the files.' }
    ],
    diagnosis: { agreement: 'confirms' },
    plan: { agreement: 'refines', comment: 'Rest first, then the dunlin.' },
    recommendations: 'Discuss at the whimbrel board.',
    furtherTests: 'A lapwing scan in March.',
    limits: 'The sanderling slides were not seen.',
    ...change
  }
}

export interface Reviewed {
  caseId: string
  letterId: string
  share: ShareMade
}

/** A complete case of two questions, shared with this specialist, who has opened it. */
export async function underReview(
  exchange: TestExchange,
  who: PersonName = 'specialistGb',
  change: Parameters<typeof shareRecords>[3] = {}
): Promise<Reviewed> {
  const clinician = exchange.client('clinician')
  const { caseId, letterId } = await completeCase(clinician, exchange.clock.now())
  const share = await shareRecords(exchange, caseId, [letterId], { with: who, ...change })
  await openShare(exchange.client(who), share.link)
  return { caseId, letterId, share }
}

export const opinionPath = (shareId: string): string => `/v1/shares/${shareId}/opinion`

/** Saves a draft over the version that is there, whatever comes of it. */
export async function putDraft(
  client: Client,
  shareId: string,
  draft: object,
  ifMatch?: string
): Promise<Answer> {
  const tag =
    ifMatch ?? String((await client.send('GET', opinionPath(shareId))).headers.get('etag'))
  return client.send('PUT', opinionPath(shareId), draft, { 'if-match': tag })
}

export function submit(client: Client, shareId: string, ifMatch = '"1"'): Promise<Answer> {
  return client.send('POST', `${opinionPath(shareId)}/submit`, undefined, { 'if-match': ifMatch })
}

/** A form that adds files to an opinion. */
export function attachmentForm(files: SampleFile[], title = 'Sketch of the margin'): FormData {
  const form = recordForm({ title, files })
  form.delete('kind')
  return form
}

/** Saves and submits, and expects both to be taken. */
export async function giveOpinion(
  client: Client,
  shareId: string,
  draft: object = wholeOpinion()
): Promise<OpinionView> {
  const saved = await putDraft(client, shareId, draft)
  if (saved.status !== 200) throw new Error(`${saved.status} ${saved.text}`)
  const answer = await submit(client, shareId, String(saved.headers.get('etag')))
  if (answer.status !== 200) throw new Error(`${answer.status} ${answer.text}`)
  return answer.json as unknown as OpinionView
}
