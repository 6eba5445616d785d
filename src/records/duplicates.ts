import type { Duplicate } from '../../schemas/record.ts'
import type { ObjectRow } from './queries.ts'

/** Told of one record; a study that was sent twice has one group for each of its images. */
const GROUPS_MAX = 100
const OBJECTS_IN_GROUP_MAX = 20

export type Candidate = Pick<ObjectRow, 'id' | 'recordId' | 'sha256' | 'instanceRef'>

/**
 * Which objects of a record are there twice, in it or in others that its reader may know of: the
 * same bytes, or another file of the same DICOM instance (one SOP Instance UID, other bytes), of
 * which one must have been changed.
 */
export function duplicatesIn(recordId: string, candidates: readonly Candidate[]): Duplicate[] {
  const byContent = groupsBy(candidates, ({ sha256 }) => sha256.toString('base64'))
  const byInstance = groupsBy(candidates, ({ instanceRef }) => instanceRef?.toString('base64'))
  const changed = byInstance.filter(
    ([first, ...rest]) => first && rest.some(({ sha256 }) => !sha256.equals(first.sha256))
  )
  return [
    ...byContent.map(group => ({ by: 'content' as const, group })),
    ...changed.map(group => ({ by: 'instance' as const, group }))
  ]
    .filter(({ group }) => group.some(object => object.recordId === recordId))
    .slice(0, GROUPS_MAX)
    .map(({ by, group }) => ({
      by,
      count: group.length,
      objects: group
        .slice(0, OBJECTS_IN_GROUP_MAX)
        .map(({ id, recordId: record }) => ({ record, object: id }))
    }))
}

function groupsBy(
  candidates: readonly Candidate[],
  keyOf: (candidate: Candidate) => string | undefined
): Candidate[][] {
  const groups = new Map<string, Candidate[]>()
  for (const candidate of candidates) {
    const key = keyOf(candidate)
    if (key === undefined) continue
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [candidate])
    else group.push(candidate)
  }
  return [...groups.values()].filter(group => group.length > 1)
}
