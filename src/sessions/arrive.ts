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
  const { id: accountId, organisationId } = account
  await bindPasskey(tx, exchange, account, passkey, { name: browserName(trace.userAgent), trace })
  const recoveryCodes = await makeRecoveryCodes(tx, exchange, accountId)
  const cookie = await beginSession(tx, exchange, trace, {
    accountId,
    organisationId,
    issuer: EMBEDDED,
    subject: accountId,
    assurance: 'passkey',
    passkeyId: passkey.id
  })
  return { accountId, cookie, recoveryCodes }
}
