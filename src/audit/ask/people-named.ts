import type { Exchange } from '../../exchange.ts'
import { namesOf } from '../../identity/people.ts'
import type { Caller } from '../../identity/principal.ts'
import { plain } from '../../register/terms.ts'
import { recordQuestion } from './ask.ts'
import { knownPeople } from './queries.ts'

/** People whose names are opened for one question, and as many again whom shares were made for. */
export const PEOPLE_MAX = 5000
/** How many an auditor is shown to choose from. */
export const NAMED_MAX = 50

/**
 * Who may be meant by part of a name, whatever its case and accents: people of the auditor's
 * organisation, and specialists whom it shared with. Names are sealed, so all of them are opened; of
 * very many the newest. That it was asked is on the log before anybody is named.
 */
export async function peopleNamed(
  exchange: Exchange,
  caller: Caller,
  part: string
): Promise<{ id: string; name: string }[]> {
  const { database, serviceKeys } = exchange
  const { organisationId } = caller
  const wanted = plain(part)
  if (wanted === '') return []
  const ids = await knownPeople(database.read, organisationId, PEOPLE_MAX)
  const names = await namesOf(database.read, serviceKeys, ids)
  const found = [...names]
    .map(([id, name]) => ({ id, name }))
    .filter(({ name }) => plain(name).includes(wanted))
    .sort((a, b) => a.name.localeCompare(b.name, 'en-GB'))
    .slice(0, NAMED_MAX)
  const question = { question: 'people', shown: found.map(({ id }) => id) }
  await recordQuestion(exchange, caller, 'audit.query', question, { organisationId })
  return found
}
