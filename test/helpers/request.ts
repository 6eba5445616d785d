import type { CaseView } from '../../schemas/case.ts'
import type { ChecklistView, ChecklistWrite } from '../../schemas/checklist.ts'
import type { RequestView, RequestWrite } from '../../schemas/request.ts'
import type { Answer, Client } from './client.ts'
import { createCase, numberedText, uploadRecord } from './story.ts'

export type { ChecklistView, RequestView, RequestWrite }

const DAY_MILLISECONDS = 86_400_000

/** The date so many days from a moment, in UTC. */
export const dayFrom = (now: number, days: number): string =>
  new Date(now + days * DAY_MILLISECONDS).toISOString().slice(0, 10)

/** A request with every field, none of whose words is anywhere else. */
export function wholeRequest(now: number, change: Partial<RequestWrite> = {}): RequestWrite {
  return {
    conditionGroup: 'general',
    condition: { text: 'Corncrake syndrome', snomed: '22298006', icd10: 'c712' },
    diagnosis: 'Moorhen disease of the second degree',
    proposedTreatment: 'Excision of the bittern, then rest',
    reason: 'The lapwing was never explained to the family',
    urgency: 'soon',
    dueDate: dayFrom(now, 14),
    questions: [
      { text: 'Is the bittern to be excised at all?' },
      { text: 'Would a smaller curlew do?' }
    ],
    referringClinician: { name: 'Dr Gull Refer', organisation: 'Estuary Practice' },
    insurance: {
      insurer: 'Shelduck Mutual',
      policyReference: 'POL-77-OSPREY',
      authorisation: {
        code: 'AUTH-4411-TEAL',
        from: dayFrom(now, -10),
        until: dayFrom(now, 60),
        covers: ['consultation', 'global-expert-review']
      }
    },
    ...change
  }
}

/** Puts a request over the version that is there, whatever comes of it. */
export async function putRequest(
  client: Client,
  caseId: string,
  request: object,
  ifMatch?: string
): Promise<Answer> {
  const tag = ifMatch ?? (await tagOf(client, caseId, 'request'))
  return client.send('PUT', `/v1/cases/${caseId}/request`, request, { 'if-match': tag })
}

/** The same, and expects it to be taken. */
export async function writeRequest(
  client: Client,
  caseId: string,
  request: RequestWrite
): Promise<RequestView> {
  return taken(await putRequest(client, caseId, request))
}

export async function putAnswers(
  client: Client,
  caseId: string,
  answers: ChecklistWrite['answers'],
  ifMatch?: string
): Promise<Answer> {
  const tag = ifMatch ?? (await tagOf(client, caseId, 'checklist'))
  return client.send('PUT', `/v1/cases/${caseId}/checklist`, { answers }, { 'if-match': tag })
}

export async function writeAnswers(
  client: Client,
  caseId: string,
  answers: ChecklistWrite['answers']
): Promise<ChecklistView> {
  return taken(await putAnswers(client, caseId, answers))
}

/** The ETag of the request or the checklist as it is now. */
export async function tagOf(
  client: Client,
  caseId: string,
  what: 'request' | 'checklist'
): Promise<string> {
  const answer = await client.send('GET', `/v1/cases/${caseId}/${what}`)
  return String(answer.headers.get('etag'))
}

/** A case with its request written, a letter in it, and every required item answered. */
export async function readyCase(
  client: Client,
  now: number,
  change: Partial<RequestWrite> = {}
): Promise<{ caseId: string; letterId: string }> {
  const { id: caseId } = await createCase(client)
  const files = [numberedText(200)]
  const letter = { kind: 'letter', title: 'Letter', date: dayFrom(now, -3), files }
  const { id: letterId } = await uploadRecord(client, caseId, letter)
  await writeRequest(client, caseId, wholeRequest(now, change))
  await writeAnswers(client, caseId, answersBy(letterId))
  return { caseId, letterId }
}

/** Answers to the list of the group `general`. */
export function answersBy(letterId: string): ChecklistWrite['answers'] {
  return [
    { item: 'treatment-so-far', status: 'present', note: 'None: found last month' },
    { item: 'medication', status: 'present', records: [letterId] },
    { item: 'referral-letter', status: 'present', records: [letterId] },
    { item: 'imaging', status: 'not-applicable', reason: 'Nothing to be seen on it' }
  ]
}

/** A case that is complete. */
export async function completeCase(
  client: Client,
  now: number,
  change: Partial<RequestWrite> = {}
): Promise<{ caseId: string; letterId: string }> {
  const made = await readyCase(client, now, change)
  await client.json('POST', `/v1/cases/${made.caseId}/complete`)
  return made
}

export function readCase(client: Client, caseId: string): Promise<CaseView> {
  return client.json('GET', `/v1/cases/${caseId}`)
}

function taken<T>(answer: Answer): T {
  if (answer.status !== 200) throw new Error(`${answer.status} ${answer.text}`)
  return answer.json as T
}
