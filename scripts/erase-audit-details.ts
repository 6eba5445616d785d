import { type ErasedThing, eraseDetails } from '../src/audit/erase.ts'
import { runCommand, UsageError, withDataAsOwner } from './command.ts'

const usage = `Erases what the access log knows about people, by order of a court or a data protection officer:
the sealed details of the events of one case, or of one event. That the events happened, when, and
that the log is whole can still be verified. It cannot be undone, and is itself on the log.

  npm run erase-audit-details -- --case ID --order REF [--by NAME]
  npm run erase-audit-details -- --event ID --order REF [--by NAME]

  --case    id of a case: every event of it so far
  --event   id of one event
  --order   reference of the order
  --by      who gave it

On PostgreSQL the service has no right to do this: set DATABASE_OWNER_URL as for migrate-database.`

const options = { required: ['order'], optional: ['case', 'event', 'by'] }

await runCommand(usage, options, async values => {
  const thing = thingOf(values.case, values.event)
  const order = { reference: values.order ?? '', by: values.by }
  const erased = await withDataAsOwner(data => eraseDetails(data, thing, order))
  console.log(
    erased === 0 ? 'There was nothing left to erase.' : `Events without details now: ${erased}.`
  )
})

function thingOf(caseId: string | undefined, eventId: string | undefined): ErasedThing {
  if (caseId !== undefined && eventId === undefined) return { caseId }
  if (eventId !== undefined && caseId === undefined) return { eventId }
  throw new UsageError('Name a case or an event.')
}
