import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { generateHybridIdentity, generateX25519Identity, identityToRecipient } from 'age-encryption'
import t, { type Test } from 'tap'
import { sealerTo, sealFile } from '../../src/sender/seal.ts'
import { shareRecords } from '../helpers/exchange.ts'
import { goPeer } from '../peers/go.ts'
import { fill, type Stage, setStage, sha256, studies } from './scene.ts'

/** A specialist who has registered a recipient of this kind. */
async function setSealing(t: Test, make = generateHybridIdentity) {
  const stage = await setStage(t)
  const identity = await make()
  const recipient = await identityToRecipient(identity)
  const identityFile = stage.path('identity.txt')
  writeFileSync(identityFile, `# mine\n${identity}\n`, { mode: 0o600 })
  const { accountId: to } = stage.exchange.people.specialistGb
  const view = await stage.exchange
    .client('specialistGb')
    .json<{ fingerprint: string }>('PUT', '/v1/account/recipient', { recipient })
  return { stage, recipient, identityFile, to, fingerprint: view.fingerprint }
}

async function share(stage: Stage) {
  const ids = (await stage.records()).map(({ id }) => id)
  return shareRecords(stage.exchange, stage.caseId, ids)
}

const digestsIn = (folder: string) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile() && !/^manifest|\.age$/.test(entry.name))
    .map(entry => sha256(readFileSync(join(entry.parentPath, entry.name))))
    .sort()

t.test('what is sealed here only the specialist opens, and the age program does too', async t => {
  const { stage, identityFile, to, fingerprint } = await setSealing(t)
  const files = { ...studies(1, 4), 'QUILLFEATHER.txt': 'Dear colleague,\n' }
  const folder = fill(stage.path('out'), files)
  const ran = await stage.send(folder, ['--seal', '--to', to, '--recipient', fingerprint])
  t.equal(ran.exit, 0, ran.err)
  t.match(ran.err, fingerprint, 'whom it is sealed to is shown, and since when')
  t.notOk(existsSync(`${folder}.consilium-${stage.caseId.slice(-12)}.json.sealed/0001.age`))

  const records = await stage.records()
  const objects = records.flatMap(record => record.objects)
  t.ok(objects.every(({ endToEnd }) => endToEnd))
  t.equal(objects.length, 7, 'five files and two lists')
  t.notMatch(JSON.stringify(records), /QUILLFEATHER|CT HEAD|2026-09-01|IM000/)

  const { link } = await share(stage)
  const to1 = stage.path('opened')
  const opened = await stage.fetch(['--link', link, '--identity', identityFile, to1])
  t.equal(opened.exit, 0, opened.err)
  t.same(digestsIn(to1), Object.values(files).map(sha256).sort())
  const again = await stage.fetch(['--link', link, '--identity', identityFile, to1])
  t.match(again, { exit: 0, out: /of them before +7 files/ })

  const age = goPeer(t, 'age')
  if (age === undefined) return
  const to2 = stage.path('sealed')
  t.equal((await stage.fetch(['--link', link, to2])).exit, 0)
  const sealed = readdirSync(to2, { recursive: true, encoding: 'utf8' }).filter(name =>
    name.endsWith('.age')
  )
  const plain = sealed.map(name =>
    sha256(execFileSync(age, ['--decrypt', '-i', identityFile, join(to2, name)]))
  )
  for (const content of Object.values(files)) t.ok(plain.includes(sha256(content)))
})

t.test('what the age program has sealed is sent as it is, and fetch opens it', async t => {
  const { stage, identityFile, recipient } = await setSealing(t)
  const age = goPeer(t, 'age')
  if (age === undefined) return
  const folder = fill(stage.path('out'), { 'letter.txt': 'Dear colleague,\n' })
  execFileSync(age, ['-r', recipient, '-o', `${folder}/letter.txt.age`, `${folder}/letter.txt`])
  const ran = await stage.send(`${folder}/letter.txt.age`)
  t.equal(ran.exit, 0, ran.err)
  const { link } = await share(stage)
  const into = stage.path('in')
  const opened = await stage.fetch(['--link', link, '--identity', identityFile, into])
  t.equal(opened.exit, 0, opened.err)
  t.equal(readFileSync(join(into, '01-other/0001.txt'), 'utf8'), 'Dear colleague,\n')
})

t.test('whom it is not sealed to: another recipient, a classic one, nobody', async t => {
  const { stage, to, recipient } = await setSealing(t, generateX25519Identity)
  const folder = fill(stage.path('out'), { 'letter.txt': 'Dear colleague,\n' })
  const seal = (more: string[], account = to) =>
    stage.send(folder, ['--seal', '--to', account, ...more])
  t.match(await seal([]), { exit: 4, err: /classic/ })
  t.match(await seal(['--allow-classic', '--recipient', 'age1other']), {
    exit: 4,
    err: /another recipient/
  })
  const { accountId } = stage.exchange.people.stranger
  t.match(await seal([], accountId), { exit: 4, err: /recipient-not-found/ })
  t.match(await stage.send(folder, ['--seal']), { exit: 2, err: /belong together/ })
  t.same(await stage.records(), [])
  t.equal((await seal(['--allow-classic', '--recipient', recipient])).exit, 0)

  const another = await generateHybridIdentity()
  writeFileSync(stage.path('another.txt'), another, { mode: 0o600 })
  const { link } = await share(stage)
  const wrong = await stage.fetch([
    '--link',
    link,
    '--identity',
    stage.path('another.txt'),
    stage.path('in')
  ])
  t.match(wrong, { exit: 1, out: /not-opened\. it was sealed to another recipient/ })
})

t.test('what is not the fault of a file ends the run, and the next one sends the file', async t => {
  const { stage, to, recipient } = await setSealing(t)
  const gone = sealFile(sealerTo(recipient), stage.path('gone.txt'), stage.path('gone.age'))
  await t.rejects(gone, { name: 'Unreadable', code: 'ENOENT' })
  const folder = fill(stage.path('out'), { 'letter.txt': 'Dear colleague,\n' })
  const spool = `${folder}.consilium-${stage.caseId.slice(-12)}.json.sealed`
  // As a full disk would: what is sealed cannot be written.
  writeFileSync(spool, '')
  t.match(await stage.send(folder, ['--seal', '--to', to]), { exit: 3 })
  rmSync(spool)
  const [id] = JSON.parse(readFileSync(spool.replace('.sealed', ''), 'utf8')).records
  mkdirSync(join(spool, id.id, '0001.age.part'), { recursive: true })
  t.match(await stage.send(folder, ['--seal', '--to', to]), { exit: 3, err: /EISDIR/ })
  rmSync(spool, { recursive: true })
  t.match(await stage.send(folder, ['--seal', '--to', to]), { exit: 0, out: /stored +1 files/ })
})

t.test('what was sealed is removed only once the state says where it went', async t => {
  const { stage, to } = await setSealing(t)
  // While the second is sealed nothing is written down.
  const files = {
    'a/letter.txt': 'Dear colleague,\n',
    'b/scan.bin': Buffer.alloc(20 * 1024 ** 2, 7)
  }
  const folder = fill(stage.path('out'), files)
  const state = `${folder}.consilium-${stage.caseId.slice(-12)}.json`
  const inState = () => JSON.parse(readFileSync(state, 'utf8')).records
  let ended = false
  const sending = stage.send(folder, ['--seal', '--to', to, '--parallel', '1']).finally(() => {
    ended = true
  })
  const waitFor = async (met: () => boolean) => {
    while (!met() && !ended) await sleep(1)
  }
  await waitFor(() => existsSync(state) && inState().length === 2)
  const spool = join(`${state}.sealed`, inState()[0].id)
  await waitFor(() => existsSync(spool))
  await waitFor(() => !existsSync(spool))
  t.notOk(ended)
  // Killed now, a run would seal it anew, which gives other bytes, and not know it for the same.
  t.match(inState()[0], { done: true, files: [{ outcome: 'stored' }] })
  t.match(await sending, { exit: 0 })
})

t.test('a recipient is registered, changed and told, and each is on the log', async t => {
  const { stage, recipient } = await setSealing(t)
  const { exchange } = stage
  const specialist = exchange.client('specialistGb')
  const path = `/v1/specialists/${exchange.people.specialistGb.accountId}/recipient`
  const told = await exchange.client('clinician').json('GET', path)
  t.match(told, {
    recipient,
    postQuantum: true,
    registeredBy: exchange.people.specialistGb.accountId
  })
  const next = await identityToRecipient(await generateHybridIdentity())
  await specialist.json('PUT', '/v1/account/recipient', { recipient: next })
  const changed = await exchange.client('clinician').json('GET', path)
  t.match(changed, { recipient: next })
  const events = await exchange.auditEvents({ action: 'recipient.register' })
  t.match(events.at(-1)?.details, { before: String, fingerprint: String })
  const identity = await generateHybridIdentity()
  for (const text of [identity, 'age1nonsense', 'x'.repeat(100)]) {
    const refused = await specialist.send('PUT', '/v1/account/recipient', { recipient: text })
    t.match(refused.json, { code: 'recipient-invalid' })
  }
  t.notOk(exchange.logged().includes(identity))
})
