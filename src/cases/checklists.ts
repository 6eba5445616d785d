import type { KeyObject } from 'node:crypto'
import { type Static, Type } from 'typebox'
import { Value } from 'typebox/value'
import { type RecordFields, recordKinds } from '../../schemas/record.ts'
import { type ConditionGroup, conditionGroups } from '../../schemas/request.ts'
import { openAnswers } from './answers.ts'
import cancer from './checklists/cancer.json' with { type: 'json' }
import cardiac from './checklists/cardiac.json' with { type: 'json' }
import general from './checklists/general.json' with { type: 'json' }
import musculoskeletal from './checklists/musculoskeletal.json' with { type: 'json' }
import neurological from './checklists/neurological.json' with { type: 'json' }
import rareDisease from './checklists/rare-disease.json' with { type: 'json' }
import type { RequestRow } from './queries.ts'
import { type ChecklistName, openRequest } from './request.ts'

const Item = Type.Object(
  {
    id: Type.String({ pattern: '^[a-z]+(-[a-z]+)*$' }),
    label: Type.String({ minLength: 1 }),
    required: Type.Boolean(),
    kinds: Type.Array(Type.Enum(recordKinds), { minItems: 1, uniqueItems: true }),
    byNote: Type.Optional(Type.Boolean()),
    daysMax: Type.Optional(Type.Integer({ minimum: 1 }))
  },
  { additionalProperties: false }
)
export interface ChecklistItem extends Static<typeof Item> {
  kinds: RecordFields['kind'][]
}

/**
 * A list of one group of conditions in all its versions, newest last. A version that a case has been
 * judged by is never edited: what changes is a new version. Who owns the list clinically is named in
 * it, and `asOf` says when they last looked.
 */
const Checklists = Type.Object(
  {
    group: Type.Enum(conditionGroups),
    owner: Type.String({ minLength: 1 }),
    versions: Type.Array(
      Type.Object(
        {
          version: Type.Integer({ minimum: 1 }),
          asOf: Type.String({ pattern: '^\\d{4}-\\d\\d-\\d\\d$' }),
          items: Type.Array(Item, { minItems: 1 })
        },
        { additionalProperties: false }
      ),
      { minItems: 1 }
    )
  },
  { additionalProperties: false }
)
type Checklists = Static<typeof Checklists>

const all = new Map<string, Checklists>()
for (const list of [cancer, cardiac, general, musculoskeletal, neurological, rareDisease]) {
  all.set(list.group, readChecklists(list))
}

/** Takes a file of checklists as it is written. Throws for one that is not as it must be. */
export function readChecklists(file: unknown): Checklists {
  if (!Value.Check(Checklists, file)) {
    const [first] = Value.Errors(Checklists, file)
    throw new Error(`A checklist is not as it must be: ${first?.instancePath} ${first?.message}`)
  }
  for (const [place, { version, items }] of file.versions.entries()) {
    if (version !== place + 1) throw new Error('Versions of a checklist count from 1.')
    const ids = items.map(item => item.id)
    if (new Set(ids).size !== ids.length) throw new Error('A checklist has an item twice.')
  }
  return file
}

/** The items of one version of a list. Throws when this release does not have it. */
export function itemsOf({ group, version }: ChecklistName): ChecklistItem[] {
  const items = all.get(group)?.versions[version - 1]?.items
  if (items === undefined) throw new Error('A case names a checklist that this release lacks.')
  return items as ChecklistItem[]
}

/** The list that a case of this group begins with today. */
export function newestChecklist(group: ConditionGroup): ChecklistName {
  return { group, version: all.get(group)?.versions.length ?? 0 }
}

/**
 * The list a case is judged by: that of its request, else the one its answers were given to, else the
 * newest for everything else.
 */
export function checklistNow(key: KeyObject, row: RequestRow): ChecklistName {
  return (
    openRequest(key, row)?.checklist ??
    openAnswers(key, row)?.checklist ??
    newestChecklist('general')
  )
}
