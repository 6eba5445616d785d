import type { Queries } from '../database/database.ts'
import type { Exchange } from '../exchange.ts'
import { EMBEDDED, type Trace } from '../identity/principal.ts'
import { browserName } from './passkey-names.ts'
import { bindPasskey, type NewPasskey } from './passkeys.ts'
import { makeRecoveryCodes } from './recovery-codes.ts'
import { beginSession } from './session.ts'

/** Somebody who has just got a way in. */
export interface Arrived {
  accountId: string
  /** The value of the cookie of their first session. */
  cookie: string
  /** Shown this once. */
  recoveryCodes: string[]
}

/** Gives an account its passkey, recovery codes and a session, inside the caller's transaction. */
export async function arrive(
  tx: Queries,
  exchange: Exchange,
  account: { id: string; organisationId: string },
  passkey: NewPasskey,
  trace: Trace
): Promise<Arrived> {
  await bindPasskey(tx, exchange, account, passkey, { name: browserName(trace.userAgent), trace })
  return settle(tx, exchange, account, passkey, trace)
}

/** The same for an account that has its passkey by now. */
export async function settle(
  tx: Queries,
  exchange: Exchange,
  { id: accountId, organisationId }: { id: string; organisationId: string },
  { id: passkeyId }: Pick<NewPasskey, 'id'>,
  trace: Trace
): Promise<Arrived> {
  const recoveryCodes = await makeRecoveryCodes(tx, exchange, accountId)
  const cookie = await beginSession(tx, exchange, trace, {
    accountId,
    organisationId,
    issuer: EMBEDDED,
    subject: accountId,
    assurance: 'passkey',
    passkeyId
  })
  return { accountId, cookie, recoveryCodes }
}
