import t from 'tap'
import type { DicomPlace } from '../../src/sender/look-into.ts'
import { planRecords, RECORD_FILES_MAX, type Wishes } from '../../src/sender/plan.ts'
import type { FoundFile } from '../../src/sender/walk.ts'

const TODAY = '2026-11-20'
const YESTERDAY = Date.parse('2026-11-19T12:00:00Z')

const found = (path: string): FoundFile => ({
  path: `/disc/${path}`,
  inFolder: path,
  bytes: 1,
  changedMilliseconds: YESTERDAY
})

/** The plan for files at these paths, each with its place, or null for what is no DICOM file. */
function planned(places: Record<string, DicomPlace | null>, wishes: Partial<Wishes> = {}) {
  const files = Object.keys(places).map(found)
  const looked = files.flatMap(file => {
    const place = places[file.inFolder]
    return place ? [[file, place] as const] : []
  })
  const records = planRecords(files, new Map(looked), { sealed: false, ...wishes }, TODAY)
  return records.map(({ files, ...record }) => ({
    ...record,
    files: files.map(file => file.inFolder)
  }))
}

const image = (study: string, series: string, instanceNumber: number): DicomPlace => ({
  study,
  series,
  seriesNumber: Number(series),
  instanceNumber,
  modality: 'CT',
  bodyPart: 'HEAD',
  date: '2026-09-01'
})

t.test('a study is a record wherever its files lie, by series and image', async t => {
  const records = planned({
    'a/3': image('s1', '2', 1),
    'a/2': image('s1', '1', 10),
    'a/letter.pdf': null,
    'b/1': image('s1', '1', 9),
    'b/other': image('s2', '1', 1)
  })
  t.same(records, [
    {
      kind: 'scan',
      title: 'CT HEAD, 2 series, 3 images',
      date: '2026-09-01',
      files: ['b/1', 'a/2', 'a/3']
    },
    { kind: 'other', title: 'Documents, 1 file', date: '2026-11-19', files: ['a/letter.pdf'] },
    {
      kind: 'scan',
      title: 'CT HEAD, 1 series, 1 image',
      date: '2026-09-01',
      files: ['b/other']
    }
  ])
})

t.test('a damaged file goes with the study that has most files in its folder', async t => {
  const records = planned({
    'a/1': image('s1', '1', 1),
    'a/2': image('s2', '1', 1),
    'a/3': image('s2', '1', 2),
    'a/broken': {},
    'b/broken': {}
  })
  t.same(
    records.map(({ files }) => files),
    [['a/1'], ['a/2', 'a/3', 'a/broken'], ['b/broken']]
  )
})

t.test('a slide is a slide, and what a person says goes first', async t => {
  const slide = { study: 's1', modality: 'SM' }
  t.equal(planned({ 'a/1': slide })[0]?.kind, 'pathology-slide')
  const wishes = { kind: 'letter', title: 'Letters', date: '2026-01-02' } as const
  t.match(planned({ 'a/1': slide }, wishes), [wishes])
})

t.test('what is sealed tells nothing of the study', async t => {
  const [record] = planned({ 'a/1': image('s1', '1', 1) }, { sealed: true })
  t.match(record, { title: 'Sealed: scan', date: TODAY })
})

t.test('more files than a record takes become several', async t => {
  const names = Array.from({ length: RECORD_FILES_MAX + 1 }, (_, i) => [`a/${i}`, null])
  const records = planned(Object.fromEntries(names))
  t.same(
    records.map(({ title, files }) => [title, files.length]),
    [
      ['Documents, 5000 files (1 of 2)', RECORD_FILES_MAX],
      ['Documents, 1 file (2 of 2)', 1]
    ]
  )
  t.same(
    planned(Object.fromEntries(names.slice(1)), { sealed: true }).map(({ files }) => files.length),
    [RECORD_FILES_MAX - 1, 1],
    'a sealed record has its list beside them'
  )
})
