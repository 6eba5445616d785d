import { desc, eq } from '../../schemas/drizzle.ts'
import { addAccount } from '../../src/identity/enrol.ts'
import { EMBEDDED } from '../../src/identity/principal.ts'
import type { OpenData } from '../../src/open-data.ts'
import { SESSION_COOKIE } from '../../src/sessions/cookie.ts'
import { beginSession } from '../../src/sessions/session.ts'
import type { ApiClient } from '../demo-service.ts'
import { makeCase, type Service } from './servers.ts'
import { shareRecords } from './shared-case.ts'

export const roles = ['clinician', 'specialist', 'auditor', 'administrator'] as const
export type Viewer = (typeof roles)[number] | 'nobody'

/** Whoever looks at pages, and what there is to be looked at: ids. */
export interface Scene {
  people: Record<(typeof roles)[number], string>
  organisation: string
  case: string
  letter: string
  scan: string
  /** The file of the letter. */
  file: string
  specialist: string
  /** A share under way, and one whose opinion came back. */
  share: string
  answered: string
  event: string
}

/** One exchange of records through HTTP, from the case to an opinion. */
export async function makeScene(service: Service): Promise<Scene> {
  const { data, clinician, specialist, auditor } = service
  const caseId = await makeCase(service)
  const share = await shareRecords(service, caseId)
  const answered = await shareRecords(service, caseId)
  for (const { link } of [share, answered])
    await specialist.json('POST', '/v1/links/open', { link })
  await writeOpinion(specialist, answered.id)
  const { records } = await clinician.json<{ records: { id: string; kind: string }[] }>(
    'GET',
    `/v1/cases/${caseId}/records`
  )
  const idOf = (wanted: string) => records.find(({ kind }) => kind === wanted)?.id ?? ''
  const letter = await clinician.json<{ objects: { id: string }[] }>(
    'GET',
    `/v1/records/${idOf('letter')}`
  )
  const people = {
    clinician: await accountOf(clinician),
    specialist: await accountOf(specialist),
    auditor: await accountOf(auditor)
  }
  const { accounts, auditEvents } = data.database.read.tables
  const [own] = await data.database.read
    .select()
    .from(accounts)
    .where(eq(accounts.id, people.clinician))
  const organisation = own?.organisationId ?? ''
  const [event] = await data.database.read
    .select({ id: auditEvents.id })
    .from(auditEvents)
    .where(eq(auditEvents.caseId, caseId))
    .orderBy(desc(auditEvents.id))
    .limit(1)
  const administrator = await addAccount(data, {
    organisation,
    role: 'administrator',
    name: 'Grace Example'
  })
  return {
    people: { ...people, administrator },
    organisation,
    case: caseId,
    letter: idOf('letter'),
    scan: idOf('scan'),
    file: letter.objects[0]?.id ?? '',
    specialist: service.specialistId,
    share: share.id,
    answered: answered.id,
    event: event?.id ?? ''
  }
}

const accountOf = async (client: ApiClient) =>
  (await client.json<{ id: string }>('GET', '/v1/account')).id

async function writeOpinion(specialist: ApiClient, share: string): Promise<void> {
  const path = `/v1/shares/${share}/opinion`
  const opinion = {
    answers: [{ number: 1, answer: 'Watchful waiting, for the reasons below.' }],
    diagnosis: { agreement: 'confirms' },
    plan: { agreement: 'confirms' },
    limits: 'I have not examined the patient.'
  }
  const before = await specialist.send('GET', path)
  const tag = before.headers.get('etag') ?? '"0"'
  const saved = await specialist.send('PUT', path, opinion, { 'if-match': tag })
  const seen = { 'if-match': String(saved.headers.get('etag')) }
  const sent = await specialist.send('POST', `${path}/submit`, undefined, seen)
  if (!sent.ok) throw new Error(`The opinion: ${sent.status} ${await sent.text()}`)
}

/** The cookie of each of them, as signing in with a passkey leaves it; that of nobody is empty. */
export async function signIn(
  data: OpenData,
  { people }: Pick<Scene, 'people'>
): Promise<Record<Viewer, string>> {
  const cookies: Record<string, string> = { nobody: '' }
  const trace = { requestId: 'bench', method: 'POST', route: '/sign-in', address: '127.0.0.1' }
  const { accounts } = data.database.read.tables
  for (const role of roles) {
    const accountId = people[role]
    const [account] = await data.database.read
      .select()
      .from(accounts)
      .where(eq(accounts.id, accountId))
    const organisationId = account?.organisationId ?? ''
    const proven = { accountId, organisationId, issuer: EMBEDDED, subject: accountId }
    const value = await data.database.write(tx =>
      beginSession(tx, data, trace, { ...proven, assurance: 'passkey' })
    )
    cookies[role] = `${SESSION_COOKIE}=${value}`
  }
  return cookies as Record<Viewer, string>
}
