import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { faultProxy } from '../helpers/fault-proxy.ts'
import { fill, readJson, setStage, sha256, studies } from './scene.ts'

t.test('a disc of three studies with three bad files', async t => {
  const stage = await setStage(t)
  const good = studies(3, 20)
  const bad = {
    'study-1/BROKEN1': Buffer.from('MZ\0\0\x90 this is a program'),
    'study-2/IM0500': (good['study-2/IM0001'] ?? Buffer.alloc(0)).subarray(0, 700),
    'study-3/notes.html': '<html><script>1</script></html>'
  }
  const folder = fill(stage.path('disc'), {
    ...good,
    ...bad,
    DICOMDIR: 'a directory',
    '.hidden': 'x',
    'study-1/Thumbs.db': 'x'
  })
  const ran = await stage.send(folder)
  t.equal(ran.exit, 1, ran.err)
  t.match(ran.out, /stored +60 files/)
  t.match(ran.out, /refused +3 files/)
  t.match(ran.out, /BROKEN1: file-type-refused/)
  t.match(ran.out, /DICOMDIR: the directory of a disc/)
  t.match(ran.out, /study-1\/Thumbs\.db: left by Windows/)
  const records = await stage.records()
  t.same(
    records.filter(({ kind }) => kind === 'scan').map(({ objects }) => objects.length),
    [20, 20, 20]
  )
  for (const { title, date } of records) {
    t.match(title, /^CT HEAD, 2 series, 2[01] images$/)
    t.equal(date, '2026-09-01')
  }
  const stored = records.flatMap(({ objects }) => objects.map(object => object.sha256)).sort()
  t.same(stored, Object.values(good).map(sha256).sort(), 'byte for byte')

  const manifest = readJson(`${folder}.consilium-${stage.caseId.slice(-12)}.manifest.json`)
  const told = manifest.records.flatMap((record: { files: { outcome: string }[] }) => record.files)
  t.equal(told.length, 63)
  const first = told.find(({ outcome }: { outcome: string }) => outcome === 'stored')
  t.match(first, { inFolder: String, sha256: /^[0-9a-f]{64}$/, object: String })
  t.equal(first.path, undefined, 'where it lay on this machine is nobody else’s business')
  t.same(
    new Set(told.map((file: { series?: string }) => file.series)).size,
    7,
    'by series: two of each study, and what has none'
  )
  t.equal(manifest.records.length >= 3, true)

  const again = await stage.start(folder).ended
  t.equal(again.exit, 1, again.err)
  t.equal((await stage.records()).length, records.length, 'nothing is sent twice')
})

t.test('what is passed over, and what cannot be read', async t => {
  const stage = await setStage(t)
  const folder = fill(stage.path('odd'), {
    'letter.txt': 'Dear colleague,\n',
    'empty.txt': '',
    'Ünïcödé \u202e\u0007 名前.txt': 'Text of another.\n',
    'a "quoted"\nname.txt': 'A third.\n',
    'locked.txt': 'Not to be read.\n'
  })
  symlinkSync('/etc/passwd', `${folder}/link.txt`)
  chmodSync(`${folder}/locked.txt`, 0)
  const ran = await stage.send(folder, ['--kind', 'letter', '--title', 'Letters'])
  const isRoot = process.getuid?.() === 0
  t.equal(ran.exit, 1, ran.err)
  t.match(ran.out, new RegExp(`stored +${isRoot ? 4 : 3} files`))
  t.match(ran.out, /link\.txt: a symbolic link/)
  t.match(ran.out, /empty\.txt: empty/)
  if (!isRoot) t.match(ran.out, /locked\.txt: it cannot be read \(EACCES\)/)
  t.notOk(
    ['\u0007', '\u202e'].some(sign => ran.out.includes(sign)),
    'nothing a terminal acts on'
  )
  const [record] = await stage.records()
  t.match(record, { kind: 'letter', title: 'Letters' })
})

t.test('an empty folder, a folder that is not there, and wrong words', async t => {
  const stage = await setStage(t)
  mkdirSync(stage.path('empty'))
  t.match(await stage.send(stage.path('empty')), { exit: 0, out: /stored +0 files/ })
  t.match(await stage.send(stage.path('nowhere')), { exit: 2, err: /no such folder/ })
  t.match(await stage.send(stage.path('empty'), ['--kind', 'song']), { exit: 2 })
  t.match(await stage.send(stage.path('empty'), [], 'http://example.org'), {
    exit: 2,
    err: /must begin with https/
  })
})

t.test('large files go by tus into a draft, with the small ones of their study', async t => {
  const stage = await setStage(t)
  const files = { ...studies(1, 3), 'study-1/IM9999': large() }
  const folder = fill(stage.path('large'), files)
  const ran = await stage.send(folder)
  t.equal(ran.exit, 0, ran.err)
  const [record] = await stage.records()
  t.same(
    record?.objects.map(object => object.sha256).sort(),
    Object.values(files).map(sha256).sort()
  )
  const begun = await stage.exchange.auditEvents({ action: 'draft.create' })
  t.equal(begun.length, 1)
})

t.test('a file that goes, or changes, before its turn comes', async t => {
  const stage = await setStage(t)
  const large = Buffer.alloc(17 * 1024 ** 2, 'a line of a text\n')
  const folder = fill(stage.path('out'), {
    'small/a.txt': 'gone before it is read\n',
    'small/b.html': '<html><script>1</script></html>',
    'large/a.txt': large,
    'large/b.txt': 'Dear colleague,\n'
  })
  const proxy = await faultProxy(t, stage.exchange.url)
  // Nothing is sent before there is a token, and the folder has been looked through by then.
  proxy.fail(({ url }) => url === '/oidc/token', { delay: 500 })
  const run = stage.send(folder, [], proxy.url)
  while (proxy.requests.length === 0) await sleep(5)
  rmSync(`${folder}/small/a.txt`)
  appendFileSync(`${folder}/large/a.txt`, 'one line more\n')
  const ran = await run
  t.equal(ran.exit, 1, ran.err)
  t.match(ran.out, /small\/a\.txt: it cannot be read \(ENOENT\)/)
  t.match(ran.out, /small\/b\.html: file-type-refused/, 'each has its own reason')
  t.match(ran.out, /large\/a\.txt: unreadable\. it changed while it was sent/)
  const stored = (await stage.records()).flatMap(({ objects }) => objects)
  t.same(
    stored.map(object => object.sha256),
    [sha256('Dear colleague,\n')]
  )

  const again = await stage.send(folder, [], proxy.url)
  t.match(again.out, /stored +2 files/, 'what it is now is a new file')
})

t.test('the state is for its user alone and holds no key and no token', async t => {
  const stage = await setStage(t)
  const folder = fill(stage.path('few'), studies(1, 3))
  const ran = await stage.send(folder)
  t.equal(ran.exit, 0, ran.err)
  const state = `${folder}.consilium-${stage.caseId.slice(-12)}.json`
  for (const path of [state, state.replace('.json', '.manifest.json')]) {
    t.equal(statSync(path).mode & 0o777, 0o600)
    const text = readFileSync(path, 'utf8') + ran.out + ran.err
    t.notOk(text.includes(stage.exchange.people.clinician.key.d))
    t.notMatch(text, /eyJ|Bearer/)
  }
})

t.test('what a run leaves in the folder itself is not sent by the next one', async t => {
  const stage = await setStage(t)
  const folder = fill(stage.path('out'), { 'letter.txt': 'Dear colleague,\n' })
  const more = ['--state', join(folder, 'state.json')]
  for (const manifest of [[], ['--manifest', join(folder, 'manifest.json')]]) {
    t.equal((await stage.send(folder, [...more, ...manifest])).exit, 0)
    t.match(await stage.send(folder, [...more, ...manifest]), { exit: 0, out: /stored +1 files/ })
    rmSync(join(folder, 'state.manifest.json'), { force: true })
  }
  t.equal((await stage.records()).length, 1)
})

function large(): Buffer {
  const [scan] = Object.values(studies(1, 1, 17 * 1024 ** 2))
  return scan ?? Buffer.alloc(0)
}
