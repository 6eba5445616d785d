import { readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import t from 'tap'
import { Refusal } from '../../../src/errors.ts'
import { INSPECT_BYTES, inspect } from '../../../src/records/inspect/inspect.ts'
import { lookInside } from '../../../src/records/inspect/look-inside.ts'
import type { ObjectSummary } from '../../../src/records/inspect/summary.ts'
import { installPeer } from '../../peers/python.ts'

// The test files that pydicom ships: odd, old, truncated and wrong ones, and 17 character sets.

const peer = installPeer('pydicom')
const absent = 'absent' in peer ? peer.absent : undefined
if (absent !== undefined && process.env.CI_SERVICES === 'required') t.fail(absent)
const skip = absent ?? false
const data = 'directory' in peer ? join(peer.directory, 'pydicom', 'data') : ''

async function see(path: string): Promise<ObjectSummary | string> {
  const file = readFileSync(path)
  try {
    const head = file.subarray(0, INSPECT_BYTES)
    const { type } = inspect(head, file.length <= INSPECT_BYTES, {})
    return await lookInside(type, {
      bytes: file.length,
      read: async (position, length) => file.subarray(position, position + length)
    })
  } catch (err) {
    if (err instanceof Refusal) return err.code
    throw err
  }
}

const filesIn = (folder: string) =>
  readdirSync(join(data, folder), { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath, entry.name))
    .sort()

/** What is refused, and why. All else is taken. */
const refused: Record<string, string> = {
  // Without preamble and prefix, nothing tells that it is DICOM.
  'ExplVR_BigEndNoMeta.dcm': 'file-type-refused',
  'ExplVR_LitEndNoMeta.dcm': 'file-type-refused',
  'no_meta.dcm': 'file-type-refused',
  'rtstruct.dcm': 'file-type-refused',
  'MR_truncated.dcm': 'file-truncated',
  // It begins with a private element, which no data set can.
  'priv_SQ.dcm': 'file-damaged'
}

/** What is taken with a remark. */
const remarked: Record<string, string> = {
  'meta_missing_tsyntax.dcm': 'no-data-set',
  'nested_priv_SQ.dcm': 'no-data-set'
}

t.test('odd files are taken, and false ones are not', { skip }, async t => {
  const files = filesIn('test_files').filter(path => path.endsWith('.dcm'))
  t.ok(files.length > 60, `${files.length} files`)
  for (const path of files) {
    const name = basename(path)
    const seen = await see(path)
    if (typeof seen === 'string') {
      t.equal(seen, refused[name], name)
      continue
    }
    t.equal(refused[name], undefined, name)
    const isDirectory = seen.notes.some(({ code }) => code === 'disc-directory')
    const notes = seen.notes.map(({ code }) => code).filter(code => code !== 'disc-directory')
    if (!isDirectory) t.same(notes, remarked[name] === undefined ? [] : [remarked[name]], name)
  }
})

t.test('a name is read in every character set', { skip }, async t => {
  const names: Record<string, string | undefined> = {}
  for (const path of filesIn('charset_files')) {
    const seen = await see(path)
    if (typeof seen !== 'string') names[basename(path)] = seen.dicom?.patient?.name
  }
  t.match(names, {
    'chrArab.dcm': 'قباني^لنزار',
    'chrFren.dcm': 'Buc^Jérôme',
    'chrGerm.dcm': 'Äneas^Rüdiger',
    'chrGreek.dcm': 'Διονυσιος',
    'chrH31.dcm': 'Yamada^Tarou=山田^太郎=やまだ^たろう',
    'chrH32.dcm': 'ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう',
    'chrHbrw.dcm': 'שרון^דבורה',
    'chrI2.dcm': 'Hong^Gildong=洪^吉洞=홍^길동',
    'chrJapMulti.dcm': 'やまだ^たろう',
    'chrKoreanMulti.dcm': '김희중',
    'chrRuss.dcm': 'Люкceмбypг',
    'chrX1.dcm': 'Wang^XiaoDong=王^小東=',
    'chrX2.dcm': 'Wang^XiaoDong=王^小东='
  })
  t.notMatch(JSON.stringify(names), /\ufffd/)
})

t.test('a directory of a disc names every patient on it', { skip }, async t => {
  const seen = await see(join(data, 'test_files', 'dicomdirtests', 'DICOMDIR'))
  t.match(seen, {
    notes: [{ code: 'disc-directory' }],
    dicom: { patient: { name: 'Doe^Archibald' }, otherPatients: [{ name: 'Doe^Peter' }] }
  })
})
