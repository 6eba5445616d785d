import { saltDetails, sealDetails } from '../../../src/audit/entry.ts'
import { editLeaf, flip, leafAt, rebuildTree, removeEvent, signAs } from './stage.ts'
import {
  bothHeads,
  COMPLETED,
  changedSince,
  GRANTED,
  LAST,
  NO_ID,
  OPENED,
  QUIET,
  sql,
  type Tampering,
  TRIED
} from './tampering.ts'

export const missing: Record<string, Tampering> = {
  'the first event deleted': {
    spoil: sql('DELETE FROM audit_events WHERE idx = 0'),
    faults: () => ['Event 0 is missing.'],
    refuses: false
  },
  'an event in the middle deleted': {
    spoil: sql(`DELETE FROM audit_events WHERE idx = ${QUIET}`),
    faults: () => ['Event 100 is missing.'],
    refuses: false
  },
  'the last event deleted': {
    spoil: sql(`DELETE FROM audit_events WHERE idx = ${LAST}`),
    faults: () => [
      'The tree is said to have 357 events, and the log has 356.',
      'Event 356 is missing.'
    ],
    refuses: true
  },
  'the newest events deleted': {
    spoil: sql(`DELETE FROM audit_events WHERE idx >= ${GRANTED}`),
    faults: ({ scene }) => [
      'The tree is said to have 357 events, and the log has 342.',
      'Events 342 to 356 are missing.',
      `Share ${scene.first.share.id} has counted 4 events, and the last on the log is 2.`,
      `Share ${scene.second.share.id} has counted 4 events, and the last on the log is 0.`
    ],
    refuses: true
  },
  'a second event deleted, and all later ones moved up under a new tree': {
    spoil: copy => {
      removeEvent(copy, OPENED)
      rebuildTree(copy.database)
    },
    faults: ({ scene }) => [
      ...bothHeads(' was signed for 357 events, and the tree has 356'),
      `Event 341: before it, number 2 of share ${scene.first.share.id} is missing.`
    ],
    refuses: true
  },
  'the same, signed with the stolen key': {
    spoil: async copy => {
      removeEvent(copy, COMPLETED)
      await signAs(copy, rebuildTree(copy.database))
    },
    faults: ({ scene }) => [
      'Event 342: what it grants was never completed.',
      `Share ${scene.first.share.id} has counted 4 events, and the last on the log is 3.`
    ],
    refuses: false
  }
}

export const changed: Record<string, Tampering> = {
  'two events swapped': {
    spoil: sql(`UPDATE audit_events SET idx = -1 WHERE idx = 100;
      UPDATE audit_events SET idx = 100 WHERE idx = 101;
      UPDATE audit_events SET idx = 101 WHERE idx = -1`),
    faults: () => [
      'Event 100: its leaf is not the one in the tree (tile 0 of level 0).',
      'Event 101: its leaf is not the one in the tree (tile 0 of level 0).',
      ...changedSince
    ],
    refuses: false
  },
  'one field of a leaf, and its column with it': {
    spoil: ({ database }) => {
      editLeaf(database, QUIET, { outcome: 'refused' })
      database.exec(`UPDATE audit_events SET outcome = 'refused' WHERE idx = ${QUIET}`)
    },
    faults: () => ['Event 100: its leaf is not the one in the tree', ...changedSince],
    refuses: false
  },
  'one field of a leaf near the end': {
    spoil: ({ database }) => editLeaf(database, COMPLETED, { bytes: 1 }),
    faults: () => [
      'Event 343: its leaf is not the one in the tree (tile 1 of level 0).',
      'Event 343: its column bytes_handed_over is not what its leaf says.',
      ...changedSince
    ],
    refuses: true
  },
  'a leaf that is none': {
    spoil: sql(`UPDATE audit_events SET leaf = CAST('{"v": 1}' AS BLOB) WHERE idx = ${QUIET}`),
    faults: () => [
      'Event 100: its leaf is not in canonical form',
      'Event 100: its leaf is not the one in the tree',
      ...changedSince
    ],
    refuses: false
  },
  'a column that the leaf has too': {
    spoil: sql(`UPDATE audit_events SET outcome = 'success' WHERE idx = ${LAST}`),
    faults: () => ['Event 356: its column outcome is not what its leaf says.'],
    refuses: false
  },
  'a column that only the details have': {
    spoil: sql(
      `UPDATE audit_events SET actor_id = '${NO_ID}' WHERE idx = ${OPENED};
       UPDATE audit_events SET patient_ref = NULL WHERE idx = ${GRANTED};
       UPDATE audit_events SET share_id = NULL WHERE idx = ${TRIED}`
    ),
    faults: () => [
      'Event 341: its column actor_id is not what its details say.',
      'Event 342: its column patient_ref is not what its details say.',
      'Event 345: its column share_id is not what its details say.'
    ],
    refuses: false
  },
  'a bit of the sealed details': {
    spoil: ({ database }) => flip(database, 'audit_events', 'details_sealed', `idx = ${GRANTED}`),
    faults: () => ['Event 342 ('],
    refuses: false
  },
  'details of another event': {
    spoil: sql(`UPDATE audit_events SET details_sealed =
      (SELECT details_sealed FROM audit_events WHERE idx = 101) WHERE idx = 100`),
    faults: () => ['Event 100 ('],
    refuses: false
  },
  'details erased on nobody’s order': {
    spoil: sql(
      `UPDATE audit_events SET details_sealed = NULL, patient_ref = NULL WHERE idx = ${GRANTED}`
    ),
    faults: () => ['Event 342: its details are gone, and no erasure is on record for it.'],
    refuses: false
  },
  'details gone and the patient kept': {
    spoil: sql(`UPDATE audit_events SET details_sealed = NULL WHERE idx = ${GRANTED}`),
    faults: () => [
      'Event 342: it is erased only in part.',
      'Event 342: its details are gone, and no erasure is on record for it.'
    ],
    refuses: false
  },
  'details sealed anew with the true key': {
    spoil: ({ database }, { exchange }) => {
      const id = String(leafAt(database, QUIET).id)
      const box = sealDetails(exchange.exchange.serviceKeys.audit, id, saltDetails({ details: {} }))
      database.prepare(`UPDATE audit_events SET details_sealed = ? WHERE idx = ${QUIET}`).run(box)
    },
    faults: () => ['Event 100 ('],
    refuses: false
  },
  'the counters of shares deleted': {
    spoil: sql('DELETE FROM audit_share_counts'),
    faults: () => ['2 shares on the log have no counter.'],
    refuses: false
  },
  'a disclosure said to be under way': {
    spoil: sql(`INSERT INTO open_disclosures (grant_id, run, at) VALUES ('${NO_ID}', '', 0)`),
    faults: () => [`Disclosure ${NO_ID} is under way and not on the log.`],
    refuses: false
  },
  'the counter of a share': {
    spoil: sql('UPDATE audit_share_counts SET events = 3'),
    faults: ({ scene }) => [
      `Share ${scene.first.share.id} has counted 3 events, and the last on the log is 4.`,
      `Share ${scene.second.share.id} has counted 3 events, and the last on the log is 4.`
    ],
    refuses: false
  }
}
