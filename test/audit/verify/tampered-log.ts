import { generateKeyPairSync } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { signCheckpoint } from '../../../src/audit/tlog/checkpoint.ts'
import { formatVerifierKey, noteSigner, verifierKeyOf } from '../../../src/audit/tlog/note.ts'
import { dataPaths } from '../../../src/open-data.ts'
import { addEvent, completionOf, editLeaf, originOf, putCheckpoint, rebuildTree } from './stage.ts'
import { bothHeads, COMPLETED, LAST, notSigned, SIZE, type Tampering } from './tampering.ts'

export const forged: Record<string, Tampering> = {
  'an event added, with a leaf that is right in itself': {
    spoil: copy => void addEvent(copy, { action: 'case.list', outcome: 'success' }),
    faults: () => ['Event 357 ('],
    refuses: false
  },
  'an event added without details': {
    spoil: copy => {
      addEvent(copy, { action: 'case.list', outcome: 'success' })
      copy.database.exec(`UPDATE audit_events SET details_sealed = NULL WHERE idx = ${SIZE}`)
    },
    faults: () => ['Event 357: its details are gone, and no erasure is on record for it.'],
    refuses: false
  },
  'an event added by one with the key of the details': {
    // It is like one that a service has written and not signed yet, but for how it is spelt.
    spoil: (copy, { exchange }) => {
      const key = exchange.exchange.serviceKeys.audit
      const event = { action: 'case.list', outcome: 'success' }
      addEvent(copy, { ...event, details: { key, text: '{"details":{}}' } })
      addEvent(copy, { ...event, details: { key, text: '{"details": {}}' } })
      addEvent(copy, { ...event, details: { key, text: '{"details":{},"name":"x"}' } })
      addEvent(copy, { ...event, details: { key, text: '' } })
    },
    faults: () => ['Event 358 (', 'Event 359 (', 'Event 360 ('],
    refuses: false
  },
  'an event added far beyond the others': {
    spoil: copy => {
      addEvent(copy, { action: 'case.list', outcome: 'success' })
      copy.database.exec(`UPDATE audit_events SET idx = 1000000000 WHERE idx = ${SIZE}`)
    },
    faults: () => [
      'Nothing was looked at from 100358 on: too many are missing.',
      'Events 357 to 100357 are missing.'
    ],
    refuses: true
  },
  'an event added before all others': {
    spoil: copy => {
      addEvent(copy, { action: 'case.list', outcome: 'success' })
      copy.database.exec(`UPDATE audit_events SET idx = -1 WHERE idx = ${SIZE}`)
    },
    faults: () => ['Event -1 has an index below 0.'],
    refuses: false
  },
  'a disclosure completed again, with another number of bytes': {
    spoil: copy => {
      const { grant = '', share = '' } = completionOf(copy.database, COMPLETED)
      const again = { action: 'content.read', outcome: 'complete', bytes: 0, grant, share, n: 5 }
      addEvent(copy, again)
    },
    faults: ({ scene }) => [
      'Event 357: it completes ',
      'Event 357 (',
      `Share ${scene.first.share.id} has counted 4 events, and the last on the log is 5.`
    ],
    refuses: false
  },
  'a number of a share repeated': {
    spoil: copy => {
      const { share = '' } = completionOf(copy.database, COMPLETED)
      addEvent(copy, { action: 'share.read', outcome: 'success', share, n: 4 })
    },
    faults: ({ scene }) => [
      `Event 357: number 4 of share ${scene.first.share.id} comes again after 4.`,
      'Event 357 ('
    ],
    refuses: false
  },
  'a tail rewritten under a new tree, without the key': {
    spoil: ({ database }) => {
      editLeaf(database, LAST, { outcome: 'success' })
      database.exec(`UPDATE audit_events SET outcome = 'success' WHERE idx = ${LAST}`)
      rebuildTree(database)
    },
    faults: () => notSigned,
    refuses: true
  },
  'the same, signed with a stranger’s key': {
    spoil: (copy, log) => {
      editLeaf(copy.database, LAST, { outcome: 'success' })
      copy.database.exec(`UPDATE audit_events SET outcome = 'success' WHERE idx = ${LAST}`)
      const head = { ...rebuildTree(copy.database), origin: originOf(log.vkey) }
      const { privateKey } = generateKeyPairSync('ed25519')
      putCheckpoint(copy, SIZE, signCheckpoint(head, [noteSigner(head.origin, privateKey)]))
    },
    faults: () => bothHeads(': None of the known keys signed the note.'),
    refuses: true
  },
  'the same, with that key put in the place of the log’s': {
    spoil: (copy, log) => {
      editLeaf(copy.database, LAST, { outcome: 'success' })
      copy.database.exec(`UPDATE audit_events SET outcome = 'success' WHERE idx = ${LAST}`)
      const head = { ...rebuildTree(copy.database), origin: originOf(log.vkey) }
      const { privateKey } = generateKeyPairSync('ed25519')
      const vkey = formatVerifierKey(verifierKeyOf(head.origin, privateKey))
      const key = {
        vkey,
        since: '2026-11-22T00:00:00Z',
        privateKey: privateKey.export({ format: 'jwk' })
      }
      const file = { origin: head.origin, keys: [key] }
      writeFileSync(dataPaths(copy.directory).logKeys, JSON.stringify(file))
      putCheckpoint(copy, SIZE, signCheckpoint(head, [noteSigner(head.origin, privateKey)]))
    },
    known: ({ vkey }) => ({ vkeys: [vkey] }),
    faults: () => bothHeads(': None of the known keys signed the note.'),
    refuses: false
  }
}
