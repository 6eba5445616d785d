import type {
  AuthenticationResponseJSON,
  PublicKeyCredentialCreationOptionsJSON,
  PublicKeyCredentialRequestOptionsJSON,
  RegistrationResponseJSON
} from '@simplewebauthn/server'
import type { Queries } from '../database/database.ts'
import { Refusal } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import { EMBEDDED, type Trace } from '../identity/principal.ts'
import { beginCeremony, type Ceremony, endCeremony, type Purpose } from './ceremonies.ts'
import { sealPasskeyName } from './passkey-names.ts'
import {
  insertIdentityOnce,
  insertPasskey,
  type PasskeyRow,
  passkeyById
} from './passkey-queries.ts'

type Parts = Pick<Exchange, 'database' | 'clock' | 'serviceKeys' | 'publicUrl'>

/** What authenticators show their owner. */
const SERVICE_NAME = 'Consilium'
/** COSE: Ed25519, ES256, RS256, in the order in which we like them. */
const ALGORITHMS = [-8, -7, -257]
/** An answer with a large attestation takes about 8 KiB. */
const ANSWER_CHARACTERS_MAX = 32_768
const ID_CHARACTERS_MAX = 1400

/** A passkey that was just made, and that nobody owns yet. */
export interface NewPasskey {
  id: string
  publicKey: Buffer
  counter: number
  transports: string
}

/** The person whom a new passkey is for, as their authenticator will show them. */
export interface Holder {
  accountId: string
  name: string
}

/** Loaded with the first ceremony: it brings two hundred modules, a tenth of what a start would take. */
const webAuthn = () => import('@simplewebauthn/server')

/** Where passkeys of this service belong (W3C Web Authentication, section 5.1.3): its host. */
const hostOf = (publicUrl: string): string => new URL(publicUrl).hostname

/** Asks an authenticator for a new passkey: kept by it, and used only by who unlocks it. */
export async function registrationOptions(
  exchange: Parts,
  purpose: Purpose,
  { accountId, name }: Holder,
  ceremony: Ceremony & { known?: PasskeyRow[] } = {}
): Promise<PublicKeyCredentialCreationOptionsJSON> {
  const { known = [], ...rest } = ceremony
  const challenge = await beginCeremony(exchange, purpose, rest)
  const { generateRegistrationOptions } = await webAuthn()
  return generateRegistrationOptions({
    rpName: SERVICE_NAME,
    rpID: hostOf(exchange.publicUrl),
    userID: new Uint8Array(Buffer.from(accountId)),
    userName: name,
    userDisplayName: name,
    challenge: new Uint8Array(Buffer.from(challenge, 'base64url')),
    attestationType: 'none',
    excludeCredentials: known.map(({ id, transports }) => ({ id, transports: listOf(transports) })),
    authenticatorSelection: { residentKey: 'required', userVerification: 'required' },
    supportedAlgorithmIDs: ALGORITHMS
  })
}

/** Asks for a passkey: any of this service, or one of these. */
export async function authenticationOptions(
  exchange: Parts,
  purpose: Purpose,
  ceremony: Ceremony & { known?: PasskeyRow[] } = {}
): Promise<PublicKeyCredentialRequestOptionsJSON> {
  const { known = [], ...rest } = ceremony
  const challenge = await beginCeremony(exchange, purpose, rest)
  const { generateAuthenticationOptions } = await webAuthn()
  return generateAuthenticationOptions({
    rpID: hostOf(exchange.publicUrl),
    challenge: new Uint8Array(Buffer.from(challenge, 'base64url')),
    allowCredentials: known.map(({ id, transports }) => ({ id, transports: listOf(transports) })),
    userVerification: 'required'
  })
}

/**
 * Looks at what an authenticator answered that was asked for a new passkey. Throws Refusal
 * `passkey-refused`, or `ceremony-ended` as `endCeremony` says.
 */
export async function verifyRegistration(
  exchange: Parts,
  purpose: Purpose,
  text: string,
  accountId?: string
): Promise<{ passkey: NewPasskey; ceremony: Ceremony }> {
  const { answer, challenge } = readAnswer(text)
  const ceremony = await endCeremony(exchange, purpose, challenge, accountId)
  const { verifyRegistrationResponse } = await webAuthn()
  const { registrationInfo } = await orRefused(() =>
    verifyRegistrationResponse({
      response: answer as unknown as RegistrationResponseJSON,
      expectedChallenge: challenge,
      expectedOrigin: exchange.publicUrl,
      expectedRPID: hostOf(exchange.publicUrl),
      requireUserVerification: true,
      supportedAlgorithmIDs: ALGORITHMS
    })
  )
  if (registrationInfo === undefined) throw new Refusal('passkey-refused', 'not verified')
  const { id, publicKey, counter, transports = [] } = registrationInfo.credential
  if (id.length > ID_CHARACTERS_MAX) throw new Refusal('passkey-refused', 'id too long')
  const known = transports.filter(name => /^[a-z-]{1,20}$/.test(name)).slice(0, 8)
  return {
    passkey: { id, publicKey: Buffer.from(publicKey), counter, transports: known.join(',') },
    ceremony
  }
}

/**
 * Looks at what an authenticator answered that was asked who is there, and resolves to the passkey that
 * signed and the count of signatures it told. Whether that count is right is for one guarded statement
 * to judge, with the act. Throws Refusal `passkey-refused` for whatever is wrong with it, alike for a
 * passkey that is unknown; or `ceremony-ended`.
 */
export async function verifyAuthentication(
  exchange: Parts,
  purpose: Purpose,
  text: string,
  accountId?: string
): Promise<{ passkey: PasskeyRow; counter: number }> {
  const { answer, challenge, id } = readAnswer(text)
  await endCeremony(exchange, purpose, challenge, accountId)
  const [passkey] = await passkeyById(exchange.database.read, id)
  if (passkey === undefined) throw new Refusal('passkey-refused', 'unknown')
  if (accountId !== undefined && passkey.accountId !== accountId) {
    throw new Refusal('passkey-refused', 'of somebody else')
  }
  const { userHandle } = answer.response
  // Web Authentication, section 7.2, step 6: whom the authenticator names must be its owner.
  if (userHandle !== undefined && textOf(userHandle) !== passkey.accountId) {
    throw new Refusal('passkey-refused', 'names somebody else')
  }
  const { verifyAuthenticationResponse } = await webAuthn()
  const { verified, authenticationInfo } = await orRefused(() =>
    verifyAuthenticationResponse({
      response: answer as unknown as AuthenticationResponseJSON,
      expectedChallenge: challenge,
      expectedOrigin: exchange.publicUrl,
      expectedRPID: hostOf(exchange.publicUrl),
      requireUserVerification: true,
      // With 0 the library compares no counts.
      credential: { id, publicKey: new Uint8Array(passkey.publicKey), counter: 0 }
    })
  )
  if (!verified) throw new Refusal('passkey-refused', 'signature')
  return { passkey, counter: authenticationInfo.newCounter }
}

/**
 * Makes a new passkey that of an account, inside the caller's transaction, and with it the account
 * somebody who may sign in here. Throws Refusal `passkey-taken`.
 */
export async function bindPasskey(
  tx: Queries,
  { audit, clock, serviceKeys }: Pick<Exchange, 'audit' | 'clock' | 'serviceKeys'>,
  account: { id: string; organisationId: string },
  passkey: NewPasskey,
  { name, trace }: { name: string; trace: Trace }
): Promise<void> {
  const createdAt = clock()
  const nameSealed = sealPasskeyName(serviceKeys, passkey.id, name)
  const row = { ...passkey, accountId: account.id, nameSealed, createdAt, usedAt: null }
  if (!(await insertPasskey(tx, row))) throw new Refusal('passkey-taken')
  await insertIdentityOnce(tx, {
    issuer: EMBEDDED,
    subject: account.id,
    accountId: account.id,
    createdAt
  })
  const { address, ...request } = trace
  await audit.append(tx, {
    action: 'passkey.add',
    outcome: 'success',
    organisationId: account.organisationId,
    actorId: account.id,
    actorOrganisationId: account.organisationId,
    details: { address, ...request, account: account.id }
  })
}

/** The parts of an answer that are needed before it can be verified. Nothing in it is believed yet. */
function readAnswer(text: string): { answer: Answer; challenge: string; id: string } {
  if (text.length > ANSWER_CHARACTERS_MAX) throw new Refusal('passkey-refused', 'too long')
  try {
    const answer: Answer = JSON.parse(text)
    const { challenge } = JSON.parse(textOf(answer.response.clientDataJSON))
    if (typeof challenge === 'string' && typeof answer.id === 'string') {
      return { answer, challenge, id: answer.id }
    }
  } catch {
    // What the parser says would quote what it was given.
  }
  throw new Refusal('passkey-refused', 'unreadable')
}

/** The shape that is hoped for; whatever is not so is an error of the library, or not found. */
interface Answer {
  id: string
  response: { clientDataJSON: string; userHandle?: string }
}

const textOf = (base64url: string): string => Buffer.from(base64url, 'base64url').toString()
const listOf = (transports: string): string[] => transports.split(',').filter(Boolean)

/** The library throws for what does not verify, and its messages quote what it was given. */
async function orRefused<T>(verify: () => Promise<T>): Promise<T> {
  try {
    return await verify()
  } catch {
    throw new Refusal('passkey-refused', 'does not verify')
  }
}
