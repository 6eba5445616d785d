import { v7 as uuidv7 } from 'uuid'
import type { NoticeKind } from '../../schemas/notice.ts'
import type { Queries } from '../database/database.ts'
import type { Clock, ServiceKeys } from '../exchange.ts'
import { canonicalContext, openBox, sealBox } from '../sealing/keys.ts'
import { activeWebhooks, countStates, insertNotice, knownNames, type NoticeRow } from './queries.ts'

export type { NoticeRow } from './queries.ts'

/** Somebody to be told of something. */
export interface Notice {
  kind: NoticeKind
  /**
   * The person, by account, or by address for who has none yet. An address passed
   * `readEmailAddress`.
   */
  to: { accountId: string } | { address: string }
  about: {
    /** Whose share or case it is: its clinicians see what became of it, its webhooks are told. */
    organisationId: string
    caseId?: string
    shareId?: string
    /** The invitation, and its link: once another is in force, this one is not mailed. */
    invitation?: { id: string; linkId: string }
  }
  /**
   * Names the event, for ever. However often it is given, each recipient has one notice of it; by
   * address there is one recipient.
   */
  once: string
  /** Milliseconds UTC from which on it would tell nobody anything of use. */
  usefulUntil?: number
}

export interface Notices {
  /**
   * Puts a notice into the outbox inside the caller's own transaction, so that it will be sent if the
   * act is stored and not otherwise; and one for each webhook that wants its kind.
   */
  enqueue(tx: Queries, notice: Notice): Promise<void>
  /** Which of these events these people have been given a notice of, by their names. */
  known(queries: Queries, asked: { once: string; accountId: string }[]): Promise<Set<string>>
  /** Whether e-mail is configured. Without it notices wait until they are given up. */
  readonly mail: boolean
  /** How many notices are in each state that is not their good end. */
  counts(queries: Queries): ReturnType<typeof countStates>
}

/** What is sealed of a recipient who has no account. */
export interface SealedRecipient {
  address: string
}

type Parts = { serviceKeys: Pick<ServiceKeys, 'directory'>; clock: Clock; mail: boolean }

/** The outbox. `deliver.ts` sends what is in it. */
export function openNotices({ serviceKeys, clock, mail }: Parts): Notices {
  return {
    mail,
    counts: countStates,
    async known(queries, asked) {
      const byName = new Map(asked.map(({ once, accountId }) => [`${once} ${accountId}`, once]))
      const found = await knownNames(queries, [...byName.keys()])
      return new Set(found.map(name => byName.get(name) ?? ''))
    },
    async enqueue(tx, { kind, to, about, once, usefulUntil }) {
      const now = clock()
      const common = {
        kind,
        organisationId: about.organisationId,
        caseId: about.caseId ?? null,
        shareId: about.shareId ?? null,
        invitationId: about.invitation?.id ?? null,
        invitationLinkId: about.invitation?.linkId ?? null,
        usefulUntil: usefulUntil ?? null,
        now
      }
      const id = uuidv7({ msecs: now })
      const isAccount = 'accountId' in to
      await insertNotice(tx, {
        ...common,
        id,
        channel: 'mail',
        once: `${once} ${isAccount ? to.accountId : 'address'}`,
        accountId: isAccount ? to.accountId : null,
        webhookId: null,
        recipientSealed: isAccount ? null : sealRecipient(serviceKeys, id, to)
      })
      if (kind === 'webhook-disabled') return
      for (const webhook of await activeWebhooks(tx, { organisationId: about.organisationId })) {
        if (webhook.kinds !== '' && !webhook.kinds.split(' ').includes(kind)) continue
        await insertNotice(tx, {
          ...common,
          id: uuidv7({ msecs: now }),
          channel: 'webhook',
          once: `${once} ${webhook.id}`,
          accountId: null,
          webhookId: webhook.id,
          recipientSealed: null,
          // A system is told what happened however late.
          usefulUntil: null
        })
      }
    }
  }
}

function sealRecipient(
  keys: Pick<ServiceKeys, 'directory'>,
  id: string,
  { address }: SealedRecipient
): Buffer {
  const plain = JSON.stringify({ address })
  return sealBox(keys.directory, recipientContext(id), Buffer.from(plain))
}

/** Throws SealError when it was changed or moved to another row. */
export function openRecipient(
  keys: Pick<ServiceKeys, 'directory'>,
  row: Pick<NoticeRow, 'id'> & { recipientSealed: Buffer }
): SealedRecipient {
  return JSON.parse(
    openBox(keys.directory, recipientContext(row.id), row.recipientSealed).toString()
  )
}

const recipientContext = (id: string): Buffer => canonicalContext('notice-recipient', id)
