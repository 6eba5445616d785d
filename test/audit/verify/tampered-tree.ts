import { generateKeyPairSync } from 'node:crypto'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { parseCheckpoint, signCheckpoint } from '../../../src/audit/tlog/checkpoint.ts'
import { cosignatureSigner } from '../../../src/audit/tlog/cosignature.ts'
import { formatVerifierKey, parseNote, verifierKeyOf } from '../../../src/audit/tlog/note.ts'
import { dataPaths } from '../../../src/open-data.ts'
import { editLeaf, flip, olderCheckpoint, putBack, rebuildTree, signAs } from './stage.ts'
import { bothHeads, COPY, QUIET, ROW, sql, type Tampering } from './tampering.ts'

export const tree: Record<string, Tampering> = {
  'a smaller head': {
    spoil: sql('UPDATE audit_head SET size = size - 1'),
    faults: () => [
      'Tile 1 of level 0 has not the 100 hashes of a tree of this size.',
      ...bothHeads(' was signed for 357 events, and the tree has 356')
    ],
    refuses: true
  },
  'a larger head': {
    spoil: sql('UPDATE audit_head SET size = size + 5'),
    faults: () => [
      'The tree is said to have 362 events, and the log has 357.',
      'Events 357 to 361 are missing.',
      'Tile 1 of level 0 has not the 106 hashes of a tree of this size.'
    ],
    refuses: true
  },
  'no head': {
    spoil: sql('DELETE FROM audit_head'),
    faults: () => [
      'The head of the tree is missing.',
      ...bothHeads(' was signed for 357 events, and the tree has 0'),
      'Tile 0 of level 0 belongs to no tree of 0 events.',
      'Tile 1 of level 0 belongs to no tree of 0 events.',
      'Tile 0 of level 1 belongs to no tree of 0 events.'
    ],
    refuses: true
  },
  'a hash in a full tile': {
    spoil: ({ database }) => flip(database, 'audit_tiles', 'hashes', 'level = 0 AND idx = 0'),
    faults: () => [
      'Event 0: its leaf is not the one in the tree (tile 0 of level 0).',
      'Tile 0 of level 1: hash 0 is not that of tile 0 of level 0.'
    ],
    refuses: false
  },
  'a hash in the last tile': {
    spoil: ({ database }) => flip(database, 'audit_tiles', 'hashes', 'level = 0 AND idx = 1'),
    faults: () => ['Event 256: its leaf is not the one in the tree (tile 1 of level 0).'],
    refuses: true
  },
  'a hash higher up': {
    spoil: ({ database }) => flip(database, 'audit_tiles', 'hashes', 'level = 1'),
    faults: () => ['Tile 0 of level 1: hash 0 is not that of tile 0 of level 0.'],
    refuses: true
  },
  'a tile deleted': {
    spoil: sql('DELETE FROM audit_tiles WHERE level = 0 AND idx = 0'),
    faults: () => ['Tile 0 of level 0 is missing.'],
    refuses: false
  },
  'a tile too many': {
    spoil: sql('INSERT INTO audit_tiles SELECT 2, 0, hashes FROM audit_tiles WHERE level = 1'),
    faults: () => ['Tile 0 of level 2 belongs to no tree of 357 events.'],
    refuses: false
  }
}

export const heads: Record<string, Tampering> = {
  'the database of yesterday put back': {
    spoil: (copy, { yesterday }) => putBack(copy, yesterday.database),
    faults: () => [
      `${ROW} is of 336 events and older than its copy, of 357: an older one was put back.`,
      `${COPY} was signed for 357 events, and the tree has 336: an older database was put back`
    ],
    refuses: true
  },
  'the same, and the copy of the checkpoint removed': {
    spoil: (copy, { yesterday }) => {
      putBack(copy, yesterday.database)
      rmSync(dataPaths(copy.directory).checkpoint)
    },
    known: ({ today }) => ({ older: [olderCheckpoint(today)] }),
    faults: () => [
      `The checkpoint in today.checkpoint was signed for 357 events, and the tree has 336`
    ],
    refuses: false
  },
  'an older checkpoint in the row': {
    spoil: ({ database }, { yesterday }) => {
      const note = readFileSync(yesterday.checkpoint, 'utf8')
      database.prepare('UPDATE audit_checkpoint SET size = 336, note = ?').run(note)
    },
    faults: () => [`${ROW} is of 336 events and older than its copy, of 357`],
    refuses: false
  },
  'a checkpoint under another size': {
    spoil: sql('UPDATE audit_checkpoint SET size = 356'),
    faults: () => [`${ROW} is kept as one of 356 events.`],
    refuses: false
  },
  'no checkpoint': {
    spoil: sql('DELETE FROM audit_checkpoint'),
    faults: () => ['The database has no checkpoint.'],
    refuses: true
  },
  'a signature that is damaged': {
    spoil: ({ directory }) => {
      const { checkpoint } = dataPaths(directory)
      const note = readFileSync(checkpoint, 'utf8')
      const damaged = note.replace(/(?<=— \S+ .{20})./, was => (was === '/' ? '+' : '/'))
      writeFileSync(checkpoint, damaged)
    },
    faults: () => [`${COPY}: `],
    refuses: true
  },
  'another tree than a witness has signed': {
    spoil: ({ database }, { exchange, yesterday }) => {
      const { privateKey } = generateKeyPairSync('ed25519')
      const { text } = parseNote(readFileSync(yesterday.checkpoint))
      const { root } = parseCheckpoint(text)
      const name = 'witness.example/w'
      const witness = formatVerifierKey(verifierKeyOf(name, privateKey, 0x04))
      const cosign = (size: number) => {
        const signer = cosignatureSigner(name, privateKey, 1_790_000_000)
        const note = signCheckpoint({ origin: exchange.exchange.tree.keys.origin, size, root }, [
          signer
        ])
        return note.slice(note.indexOf('\n\n') + 2)
      }
      const put = database.prepare('INSERT INTO audit_cosignatures VALUES (?, ?, ?, 0)')
      put.run(witness, 336, cosign(336))
      const other = formatVerifierKey(verifierKeyOf('other.example/w', privateKey, 0x04))
      put.run(other, 336, cosign(336))
      put.run(witness.replace('witness', 'wittness'), 1000, cosign(1000))
    },
    faults: () => [
      'A witness has not signed the first 336 events as they are here.',
      'A witness has signed 1000 events, and the tree has 357.'
    ],
    refuses: false
  },
  'another log of the same size, signed by the true key': {
    spoil: async copy => {
      editLeaf(copy.database, QUIET, { outcome: 'refused' })
      copy.database.exec(`UPDATE audit_events SET outcome = 'refused' WHERE idx = ${QUIET}`)
      await signAs(copy, rebuildTree(copy.database))
    },
    known: ({ yesterday, today }) => ({
      older: [olderCheckpoint(yesterday.checkpoint), olderCheckpoint(today)]
    }),
    faults: () => [
      `The checkpoint in yesterday.checkpoint: the first 336 events are not those that were signed`,
      `The checkpoint in today.checkpoint: the first 357 events are not those that were signed`
    ],
    refuses: false
  }
}
