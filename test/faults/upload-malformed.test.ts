import { once } from 'node:events'
import t, { type Test } from 'tap'
import { eventually, startExchange } from '../helpers/exchange.ts'
import { createCase } from '../helpers/story.ts'
import { brokenForms, formLimits, good, letter, MARKER, oddForms } from './broken-forms.ts'
import { filePart, formBody, formType, goodFields, postForm } from './multipart.ts'
import { assertSound, blobFiles } from './soundness.ts'

async function startWithCase(t: Test, limits = {}) {
  const x = await startExchange(t, { limits: { ...formLimits, ...limits } })
  const { id } = await createCase(x.client('clinician'))
  return { x, path: `/v1/cases/${id}/records` }
}

t.test('every broken form has its code and leaves nothing', async t => {
  const { x, path } = await startWithCase(t)
  for (const { what, body, status, code, headers } of brokenForms) {
    const answer = await postForm(x, path, body, headers)
    t.match({ status: answer.status, code: answer.code }, { status, code }, `a form ${what}`)
  }
  const events = await x.auditEvents({ action: 'record.create' })
  t.strictSame(
    events.map(event => [event.outcome, event.code]),
    brokenForms.map(({ code }) => ['refused', code]),
    'every one is on the log'
  )
  t.strictSame(blobFiles(x.directory), [], 'no blob is left')
  t.notMatch(x.logged(), /"level":50/, 'and none is told to the operator as a fault')
  t.match(await postForm(x, path, good), { status: 201 }, 'a good one is still taken')
  await assertSound(t, x, [MARKER])
})

t.test('an odd form is taken', async t => {
  const { x, path } = await startWithCase(t)
  for (const { what, body, headers } of oddForms) {
    const answer = await postForm(x, path, body, headers)
    t.match(answer, { status: 201, json: { objects: [{ type: 'text/plain' }] } }, `a form ${what}`)
  }
  await assertSound(t, x, [MARKER])
})

t.test('a form in chunks of one byte is taken, and one cut between chunks is not', async t => {
  const { x, path } = await startWithCase(t)
  const chunked = { 'content-type': formType, 'transfer-encoding': 'chunked' }
  const chunks = [...good].map(byte => `1\r\n${String.fromCharCode(byte)}\r\n`)
  const whole = await x.raw('clinician', `POST ${path}`, chunked, `${chunks.join('')}0\r\n\r\n`)
  t.match(await whole.head(), { status: 201 })

  const cut = await x.raw('clinician', `POST ${path}`, chunked, chunks.slice(0, 300).join(''))
  cut.socket.end()
  await cut.rest()
  const broken = await x.raw('clinician', `POST ${path}`, chunked, `${chunks[0]}zz\r\n`)
  t.equal((await broken.head()).status, 400, 'a chunk without a length')

  const refused = await eventually('both are on the log', async () => {
    const events = await x.auditEvents({ action: 'record.create', outcome: 'refused' })
    return events.length === 2 ? events : undefined
  })
  t.match(refused, [{ code: 'file-truncated' }, { code: 'file-truncated' }])
  t.equal(blobFiles(x.directory).length, 1)
  await assertSound(t, x, [MARKER])
})

t.test('a length that is not that of the form', async t => {
  const { x, path } = await startWithCase(t, { stallSecondsMax: 1 })
  const short = await postForm(x, path, good, { 'content-length': String(good.length - 40) })
  t.match(short, { status: 400, code: /file-truncated|request-invalid/ }, 'too short')
  const long = await postForm(x, path, good, { 'content-length': String(good.length + 40) })
  t.equal(long.status, 0, 'too long: the connection is closed in the end, without an answer')
  const refused = await eventually('both are on the log', async () => {
    const events = await x.auditEvents({ action: 'record.create' })
    return events.length === 2 ? events : undefined
  })
  t.match(refused, [{ code: 'file-truncated' }, { code: 'file-truncated' }])
  t.strictSame(blobFiles(x.directory), [])
  await assertSound(t, x, [MARKER])
})

t.test('whoever sends more than the limit is refused while they still send', async t => {
  const { x, path } = await startWithCase(t)
  const headers = { 'content-type': formType, 'content-length': String(2 ** 40) }
  const start = formBody([...goodFields, filePart('a'.repeat(1000))], false).subarray(0, -2)
  const call = await x.raw('clinician', `POST ${path}`, headers, start)
  const more = Buffer.alloc(65_536, 'b')
  let sent = 0
  let closed = false
  call.socket.on('close', () => {
    closed = true
  })
  const sending = (async () => {
    while (!closed) {
      sent += more.length
      if (!call.socket.write(more)) {
        await Promise.race([once(call.socket, 'drain'), once(call.socket, 'close')]).catch(() => {})
      }
    }
  })()
  t.match(await call.head(), { status: 413 })
  t.match((await call.rest()).toString(), /file-too-large/)
  await sending
  t.ok(sent > 200_000)
  t.strictSame(blobFiles(x.directory), [])
  await assertSound(t, x, [MARKER, 'b'.repeat(100)])
})

t.test('of two uploads at once, the refusal of one does not touch the other', async t => {
  const { x, path } = await startWithCase(t)
  const bad = formBody([...goodFields, letter, { name: 'note', body: 'x' }])
  const rounds = 20
  for (let round = 0; round < rounds; round += 1) {
    const large = formBody([...goodFields, filePart(`${MARKER} ${'c'.repeat(150_000)}`), letter])
    const [good, refused] = await Promise.all([postForm(x, path, large), postForm(x, path, bad)])
    if (good.status !== 201 || refused.status !== 400) t.fail(`${good.status} ${refused.status}`)
  }
  t.equal(blobFiles(x.directory).length, 2 * rounds)
  await assertSound(t, x, [MARKER])
})
