import { and, eq, ne } from '../../schemas/drizzle.ts'
import type { Queries } from '../database/database.ts'
import { EMBEDDED } from '../identity/principal.ts'

/** Whose identity at an issuer this is. Both are compared byte for byte, and nothing else is. */
export async function accountOfIdentity(
  queries: Queries,
  { issuer, subject }: { issuer: string; subject: string }
): Promise<string | undefined> {
  const { identities } = queries.tables
  const [row] = await queries
    .select({ accountId: identities.accountId })
    .from(identities)
    .where(and(eq(identities.issuer, issuer), eq(identities.subject, subject)))
  return row?.accountId
}

/** The issuers of others at which an account has an identity. */
export async function issuersOf(queries: Queries, accountId: string): Promise<string[]> {
  const { identities } = queries.tables
  const rows = await queries
    .select({ issuer: identities.issuer })
    .from(identities)
    .where(and(eq(identities.accountId, accountId), ne(identities.issuer, EMBEDDED)))
  return [...new Set(rows.map(({ issuer }) => issuer))]
}

/** Takes from an account every identity at issuers of others. Resolves to how many there were. */
export async function deleteOtherIdentities(tx: Queries, accountId: string): Promise<number> {
  const { identities } = tx.tables
  const gone = await tx
    .delete(identities)
    .where(and(eq(identities.accountId, accountId), ne(identities.issuer, EMBEDDED)))
    .returning({ subject: identities.subject })
  return gone.length
}
