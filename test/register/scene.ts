import { eq } from '../../schemas/drizzle.ts'
import type { InvitationCreate, InvitationSent } from '../../schemas/invitation.ts'
import type { SpecialistInput, SpecialistView } from '../../schemas/specialist.ts'
import { invitationLink, openInvitation } from '../../src/register/invitation.ts'
import type { Answer, TestExchange } from '../helpers/exchange.ts'
import { makeKey } from '../helpers/identity.ts'

/** An entry as an administrator types it. */
export function entryInput(change: Partial<SpecialistInput> = {}): SpecialistInput {
  return {
    name: 'Prof Ines Turnstone',
    country: 'US',
    organisation: 'Boston Clinic',
    specialty: 'Neurosurgery',
    languages: ['en-US'],
    professionalBody: 'NPI',
    registrationSystem: 'http://hl7.org/fhir/sid/us-npi',
    registrationNumber: '1234567893',
    ...change
  }
}

/** An act on an entry, in the version it is in now unless another is given. */
export async function change(
  exchange: TestExchange,
  id: string,
  act: { method?: string; path?: string; body: object; version?: number }
): Promise<Answer> {
  const administrator = exchange.client('administrator')
  const { method = 'POST', path = '', body, version } = act
  const { headers } = await administrator.send('GET', `/v1/specialists/${id}`)
  const etag = version === undefined ? String(headers.get('etag')) : `"${version}"`
  return administrator.send(method, `/v1/specialists/${id}${path}`, body, { 'if-match': etag })
}

export const verify = (exchange: TestExchange, id: string, until?: string): Promise<Answer> =>
  change(exchange, id, {
    path: '/verify',
    body: { evidence: 'Register of the board, file 7', ...(until && { until }) }
  })

export const expire = (exchange: TestExchange, id: string): Promise<Answer> =>
  change(exchange, id, { path: '/expire', body: { reason: 'Asked to be taken off' } })

export async function readEntry(exchange: TestExchange, id: string): Promise<SpecialistView> {
  return await exchange.client('administrator').json('GET', `/v1/specialists/${id}`)
}

/** What a clinician types to invite somebody whom the register does not have. */
export function invitationInput(change: Partial<InvitationCreate> = {}): InvitationCreate {
  return {
    name: 'Dr Maya Phalarope',
    email: 'maya.phalarope@clinic.example',
    country: 'CA',
    specialty: 'Paediatric oncology',
    organisation: 'Toronto Clinic',
    codeChannel: 'telephone',
    ...change
  }
}

let invited = 0

/** Invites somebody new and expects it to be allowed. */
export async function invite(
  exchange: TestExchange,
  change: Partial<InvitationCreate> = {}
): Promise<InvitationSent> {
  invited += 1
  const input = invitationInput({ email: `maya${invited}@clinic.example`, ...change })
  return await exchange.client('clinician').json('POST', '/v1/invitations', input)
}

/** The link of an invitation as it is mailed, and to whom. */
export async function mailOf(
  { exchange, clock }: TestExchange,
  id: string
): Promise<{ to: string; link: string }> {
  const { read } = exchange.database
  const { invitations } = read.tables
  const [row] = await read.select().from(invitations).where(eq(invitations.id, id))
  if (row === undefined) throw new Error('There is no such invitation.')
  const link = await invitationLink(read, exchange.invitationLinks, row.linkId, clock.now())
  return { to: openInvitation(exchange.serviceKeys, row).email, link: String(link) }
}

/** The public half of a key, and a client key to sign with. */
export async function newKey() {
  const { d, x = '', y = '' } = await makeKey('ES384')
  return { key: { kty: 'EC', crv: 'P-384', x, y } as const, d: String(d) }
}

/** Accepts an invitation, whatever comes of it. */
export function sendAccept(exchange: TestExchange, body: object): Promise<Answer> {
  return exchange.client().send('POST', '/v1/invitations/accept', body)
}
