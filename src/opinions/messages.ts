import type { KeyObject } from 'node:crypto'
import { v7 as uuidv7 } from 'uuid'
import { timestamp } from '../../schemas/common.ts'
import type { MessageList, MessageView } from '../../schemas/opinion.ts'
import { actedBy } from '../audit/acted-by.ts'
import { openCaseKey } from '../cases/case.ts'
import { plainText } from '../cases/check-request.ts'
import { holdCase } from '../cases/move.ts'
import { Refusal } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import { type Page, pageOf } from '../http/page.ts'
import { namesOf as namesOfAccounts } from '../identity/people.ts'
import type { Caller } from '../identity/principal.ts'
import { canonicalContext, openBox, sealBox } from '../sealing/keys.ts'
import { rereadHeld } from '../shares/may-read.ts'
import { aboutShare, type ShareRow, stateOf } from '../shares/share.ts'
import { aboutNotice } from '../shares/tell.ts'
import { tellsName } from '../shares/unnamed.ts'
import { type Party, partyTo, requireWriter } from './grounds.ts'
import { countMessages, insertMessage, type MessageRow, pageOfMessages } from './queries.ts'

/** Of one share. Who has more to say speaks. */
const MESSAGES_MAX = 500

/**
 * Writes a message about a share to the other side: from its specialist while they may write, from a
 * clinician of the sender while it is live. To a specialist who knows the patient by a pseudonym only,
 * nobody writes the name (`message-names-patient`). The other side is told by a notice. Other
 * refusals: `messages-spent`, `text-invalid`.
 */
export async function writeMessage(
  exchange: Exchange,
  caller: Caller,
  shareId: string,
  wanted: string
): Promise<MessageView> {
  const { database, keyring, serviceKeys, clock, notices } = exchange
  const party = await partyTo(database.read, caller, shareId)
  const { share, found, side } = party
  const about = aboutShare(share, found)
  const text = plainText('text', wanted)
  const key = await openCaseKey(keyring, found)
  if (side === 'sender' && tellsName(text, key, share, found)) {
    throw new Refusal('message-names-patient', undefined, { about })
  }
  const id = uuidv7({ msecs: clock() })
  const textSealed = sealBox(key, messageContext(shareId, id), Buffer.from(text))
  const row = await database.write(async tx => {
    // Nobody else writes about this case meanwhile, so the count holds.
    await holdCase(tx, found.id)
    const at = clock()
    const held = await rereadHeld(tx, shareId)
    if (side === 'specialist') await requireWriter(tx, held, found, caller, at)
    else if (stateOf(held, at) !== 'live') throw new Refusal('share-ended', undefined, { about })
    if ((await countMessages(tx, shareId)) >= MESSAGES_MAX) {
      throw new Refusal('messages-spent', undefined, { about })
    }
    const message: MessageRow = { id, shareId, authorId: caller.accountId, at, textSealed }
    await insertMessage(tx, message)
    await exchange.audit.append(tx, {
      action: 'message.create',
      outcome: 'success',
      ...actedBy(caller, { message: id }),
      ...about
    })
    await notices.enqueue(tx, {
      kind: 'message-received',
      to: { accountId: side === 'specialist' ? share.createdBy : share.specialistId },
      about: aboutNotice(share),
      once: `message:${id}`
    })
    return message
  })
  const names = await namesOfAccounts(database.read, serviceKeys, [caller.accountId])
  return viewMessage(key, share, row, names)
}

/**
 * One page of the messages about a share, newest first. Clinicians of the sender read them for as long
 * as the case is kept, its specialist while they may write.
 */
export async function listMessages(
  exchange: Exchange,
  caller: Caller,
  shareId: string,
  page: Page
): Promise<MessageList> {
  const { database, keyring, serviceKeys, clock } = exchange
  const { share, found, side } = await partyTo(database.read, caller, shareId)
  const isSpecialist = side === 'specialist'
  if (isSpecialist) await requireWriter(database.read, share, found, caller, clock(), false)
  const { rows, next } = await pageOf(page, exchange.limits, (before, limit) =>
    pageOfMessages(database.read, { shareId, before, limit })
  )
  const key = await openCaseKey(keyring, found)
  const authors = [...new Set(rows.map(({ authorId }) => authorId))]
  const names = await namesOfAccounts(database.read, serviceKeys, authors)
  const messages = rows.map(row => viewMessage(key, share, row, names))
  await database.write(async tx => {
    if (isSpecialist) {
      await requireWriter(tx, await rereadHeld(tx, shareId), found, caller, clock())
    }
    await exchange.audit.append(tx, {
      action: 'message.list',
      outcome: 'success',
      ...actedBy(caller, { shown: rows.map(({ id }) => id) }),
      ...aboutShare(share, found)
    })
  })
  return { messages, ...(next !== undefined && { next }) }
}

const messageContext = (shareId: string, id: string): Buffer =>
  canonicalContext('share-message', shareId, id)

/** Throws SealError when it was changed or moved to another share. */
export function openMessage(key: KeyObject, row: MessageRow): string {
  return openBox(key, messageContext(row.shareId, row.id), row.textSealed).toString()
}

function viewMessage(
  key: KeyObject,
  share: ShareRow,
  row: MessageRow,
  names: Map<string, string>
): MessageView {
  const { id, at, authorId } = row
  const name = names.get(authorId)
  const side: Party['side'] = authorId === share.specialistId ? 'specialist' : 'sender'
  return {
    id,
    at: timestamp(at),
    from: { account: authorId, ...(name !== undefined && { name }), side },
    text: openMessage(key, row)
  }
}
