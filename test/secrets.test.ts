import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import t from 'tap'
import { getTableName } from '../schemas/drizzle.ts'
import { tables } from '../schemas/tables.ts'
import type { Safeguard } from '../schemas/transfer.ts'
import { caseKeyContext, isErased } from '../src/cases/case.ts'
import { dataPaths, readSigningKeys } from '../src/open-data.ts'
import { recordKeyContext, unwrapKey } from '../src/sealing/keys.ts'
import { openTerms } from '../src/shares/share.ts'
import { agreeAndWithdraw, isOnTheLog, wordsOfConsent } from './consents/secret-words.ts'
import { TEST_DATABASE } from './helpers/databases.ts'
import { ctSlice } from './helpers/dicom.ts'
import {
  type Answer,
  BIRTH_DATE,
  type Client,
  createCase,
  NHS_NUMBER,
  openShare,
  PATIENT_NAME,
  type PersonName,
  PURPOSE,
  QUESTION,
  safeguard,
  sendLink,
  sendRecord,
  sharedPath,
  shareRecords,
  startExchange,
  type TestExchange,
  uploadRecord
} from './helpers/exchange.ts'
import { assertion } from './helpers/identity.ts'
import { intrude } from './helpers/intruder.ts'
import { madeScan, SOMEBODY_ELSE } from './helpers/made-dicom.ts'
import { startMailServer } from './helpers/mail-server.ts'
import { CLIENT_SECRET, issuerSettings } from './helpers/openid-issuer.ts'
import { putAnswers, putRequest, readyCase, wholeRequest } from './helpers/request.ts'
import { scriptedClamd } from './helpers/scripted-clamd.ts'
import { scriptedIssuer } from './helpers/scripted-issuer.ts'
import { startReceiver } from './helpers/webhook-receiver.ts'
import { deliver, mailSettings, untilEnded } from './notices/stage.ts'
import { attachmentForm } from './opinions/scene.ts'
import { entryInput, invitationInput, mailOf, newKey, sendAccept } from './register/scene.ts'
import { wordsOfIssuer, wordsOfSigningIn } from './sessions/secret-words.ts'
import { beginUpload, sendBegin, sendPatch, TUS } from './uploads/tus.ts'

const TITLE = 'Stereotactic biopsy of Ottoline'
const FILE_NAME = 'quillfeather-biopsy-1951.txt'
const CONTENT = 'Findings: the heron stands in the reeds at dawn.\n'.repeat(3000)
const HEADER_NAME = 'FIRECREST^Aurelia'
const HEADER_NUMBER = 'RX9-5550131'
const REASON = 'Registered under another name at the scanner in May.'
/** Addresses of webhooks often hold a key. */
const HOOK_PATH = 'hooks/kingfisher-7731'
const REFERENCE = 'IDTA-CITY-BOSTON-2026-77'
const OVERRIDE = 'The avocet board sits tomorrow'
const CLOSING = 'The dotterel went home'
const NOTE = 'Blocks lie with the phalarope laboratory'
const NOT_APPLICABLE = 'The godwit has no scan'
const EMAIL = 'phalarope.maya@clinic.example'
const WAITING = 'jacana.rosa@clinic.example'
const INVITED = 'Dr Maya Phalarope'
const MESSAGE = 'We met at the congress in Lyon.'
const ENTERED = 'Prof Ines Turnstone'
const ASKED = 'The sandpiper needs a second look'
const DECLINED = 'The ruff cannot wait'
const EVIDENCE = 'Letter of the board, ring binder 7'
const HELD = 'The coroner asked about the lapwing'
const LIFTED = 'The inquest on the lapwing is over'
const ERASED = 'The whimbrel family asked in writing'

const OPINION_WORDS = {
  answer: 'The ptarmigan should be left in place',
  comment: 'It is rather a wigeon than a pintail',
  limits: 'The garganey films were dark',
  addendum: 'The shoveler has been seen meanwhile',
  message: 'Has the gadwall been weighed?',
  declined: 'I treat no pochards'
}

/** What a name or a key looks like wherever it could turn up. */
type Secrets = Map<string, Buffer[]>

function spellings(value: string | Buffer): Buffer[] {
  const bytes = Buffer.from(value)
  const texts = (['hex', 'base64', 'base64url'] as const).map(form => bytes.toString(form))
  // Padding, and what follows in the same group of three bytes, may differ.
  const whole = texts.map(text => text.replace(/=+$/, '').slice(0, -1))
  return [bytes, ...whole, whole[0]?.toUpperCase() ?? ''].map(form => Buffer.from(form))
}

function personal(exchange: TestExchange): Secrets {
  const words: Record<string, string> = {
    'NHS number': NHS_NUMBER,
    'NHS number, spaced': '999 000 0018',
    'patient name': PATIENT_NAME,
    'family name': 'QUILLFEATHER',
    'birth date': BIRTH_DATE,
    question: QUESTION,
    purpose: PURPOSE,
    title: TITLE,
    'file name': FILE_NAME,
    content: CONTENT.slice(0, 40),
    'name in a header': 'FIRECREST',
    'first name in a header': 'Aurelia',
    'number in a header': HEADER_NUMBER,
    'reason of a confirmation': REASON,
    'safeguard reference': REFERENCE,
    'registration number': '7654321',
    'override reason': OVERRIDE,
    'reason for closing': CLOSING,
    'note of the checklist': NOTE,
    'reason of the checklist': NOT_APPLICABLE,
    ...OPINION_WORDS,
    ...wordsOfRequest(exchange),
    ...wordsOfConsent,
    'words of who asks for more time': ASKED,
    'reason why it is not given': DECLINED,
    'e-mail address': EMAIL,
    'e-mail address of who waits': WAITING,
    'invited person': INVITED,
    'message to the invited': MESSAGE,
    'person in the register': ENTERED,
    'evidence of a verification': EVIDENCE,
    'number in the register': '1234567893',
    'reason of a hold': HELD,
    'reason of its lifting': LIFTED,
    'reason of an erasure': ERASED
  }
  for (const { name, email = '' } of Object.values(exchange.people)) {
    words[name] = name
    words[`address of ${name}`] = email
  }
  return new Map(Object.entries(words).map(([label, word]) => [label, [Buffer.from(word)]]))
}

/** Every text of a request that somebody typed. */
function wordsOfRequest(exchange: TestExchange): Record<string, string> {
  const texts = (value: unknown, name: string): [string, string][] =>
    typeof value === 'object' && value !== null
      ? Object.entries(value).flatMap(([key, part]) => texts(part, `${name}.${key}`))
      : [[name, String(value)]]
  const all = texts(wholeRequest(exchange.clock.now()), 'request')
  // Words of the form itself are in the API description, and these dates are anybody's.
  return Object.fromEntries(
    all.filter(([name]) => !/conditionGroup|urgency|covers|\.(from|until)$|icd10/.test(name))
  )
}

async function keys(exchange: TestExchange): Promise<Secrets> {
  const { keyring, serviceKeys, database } = exchange.exchange
  const secrets: Secrets = new Map()
  const ring = JSON.parse(readFileSync(dataPaths(exchange.directory).keyring, 'utf8'))
  for (const [id, key] of Object.entries(ring.keys as Record<string, unknown>)) {
    const text =
      typeof key === 'string'
        ? key
        : Object.values(key as object)
            .sort(byLength)
            .at(-1)
    secrets.set(`key ring ${id}`, spellings(Buffer.from(String(text), 'base64')))
  }
  for (const [name, key] of Object.entries(serviceKeys)) secrets.set(name, spellings(key.export()))
  const { issuer, links } = await readSigningKeys(exchange.config)
  const ofLog = JSON.parse(readFileSync(dataPaths(exchange.directory).logKeys, 'utf8'))
  for (const { vkey, privateKey } of ofLog.keys) {
    secrets.set(`signing key of the log ${vkey}`, spellings(Buffer.from(privateKey.d, 'base64url')))
  }
  for (const { kid, d } of [...issuer.keys, ...links.keys]) {
    secrets.set(`signing key ${kid}`, spellings(Buffer.from(String(d), 'base64url')))
  }
  for (const { name, key } of Object.values(exchange.people)) {
    secrets.set(`client key of ${name}`, spellings(Buffer.from(key.d, 'base64url')))
  }
  const { cases, records, shares } = database.read.tables
  for (const row of await database.read.select().from(cases)) {
    if (isErased(row)) continue
    const key = await unwrapKey(keyring, caseKeyContext(row), row.wrappedKey)
    secrets.set(`case key ${row.id}`, spellings(key.export()))
    for (const record of await database.read.select().from(records)) {
      if (record.caseId !== row.id || isErased(record)) continue
      const context = recordKeyContext(row.organisationId, record.id)
      const recordKey = await unwrapKey(keyring, context, record.wrappedKey)
      secrets.set(`record key ${record.id}`, spellings(recordKey.export()))
    }
    for (const share of await database.read.select().from(shares)) {
      if (share.caseId !== row.id || !share.pseudonymised) continue
      const undoing = String(openTerms(key, share).pseudonymised?.key)
      secrets.set(`key of the pseudonyms of ${share.id}`, spellings(Buffer.from(undoing, 'base64')))
    }
  }
  for (const draft of await database.read.select().from(database.read.tables.drafts)) {
    const context = recordKeyContext(draft.organisationId, draft.id)
    const draftKey = await unwrapKey(keyring, context, draft.wrappedKey)
    secrets.set(`draft key ${draft.id}`, spellings(draftKey.export()))
  }
  return secrets
}

const byLength = (a: unknown, b: unknown) => String(a).length - String(b).length

/** Which of the secrets are in these bytes. */
function found(secrets: Secrets, bytes: Buffer): string[] {
  return [...secrets]
    .filter(([, forms]) => forms.some(form => form.length > 5 && bytes.includes(form)))
    .map(([label]) => label)
}

function filesOf(directory: string): [name: string, bytes: Buffer][] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath, entry.name))
    .filter(path => !relative(directory, path).startsWith('keys/'))
    .map(path => [relative(directory, path), readFileSync(path)])
}

/** An opinion, what is added and written about it, and a case that is declined. */
async function givingOpinion(
  exchange: TestExchange,
  shareId: string,
  caseId: string,
  recordId: string
) {
  const specialist = exchange.client('specialistUs')
  const clinician = exchange.client('clinician')
  const path = `/v1/shares/${shareId}`
  const diagnosis = { agreement: 'differs', comment: OPINION_WORDS.comment }
  const answers = [{ number: 1, answer: OPINION_WORDS.answer }]
  const whole = {
    answers,
    diagnosis,
    plan: { agreement: 'confirms' },
    limits: OPINION_WORDS.limits
  }
  const form = attachmentForm([{ name: FILE_NAME, bytes: Buffer.from(CONTENT) }], TITLE)
  await specialist.send('POST', `${path}/opinion/attachments`, form)
  await specialist.send('PUT', `${path}/opinion`, { ...whole, [PATIENT_NAME]: 1 }, tag(0))
  await specialist.send('PUT', `${path}/opinion`, { answers: [...answers, ...answers] }, tag(0))
  await specialist.send('PUT', `${path}/opinion`, whole, tag(0))
  await specialist.send('POST', `${path}/opinion/submit`, undefined, tag(1))
  await specialist.json('POST', `${path}/opinion/addenda`, { text: OPINION_WORDS.addendum })
  await clinician.json('POST', `${path}/opinion/acknowledgement`)
  await specialist.json('POST', `${path}/messages`, { text: OPINION_WORDS.message })
  await clinician.json('GET', `${path}/messages`)
  const { record } = await clinician.json<{ record: string }>('GET', `${path}/opinion`)
  await clinician.send('GET', `/v1/records/${record}/content`)
  const other = await shareRecords(exchange, caseId, [recordId])
  const decline = { reason: OPINION_WORDS.declined }
  await exchange.client('specialistGb').json('POST', `/v1/shares/${other.id}/decline`, decline)
  await clinician.json('GET', `/v1/cases/${caseId}/opinions`)
}

const tag = (version: number) => ({ 'if-match': `"${version}"` })

/** A record whose header names somebody else, with a file that is refused, confirmed all the same. */
async function anotherPatients(exchange: TestExchange, caseId: string) {
  const clinician = exchange.client('clinician')
  const scan = madeScan({ ...SOMEBODY_ELSE, name: HEADER_NAME, otherIds: HEADER_NUMBER })
  const refused = { name: FILE_NAME, bytes: Buffer.from('MZ\x90\0') }
  const files = [{ name: 'scan.dcm', bytes: scan }, refused]
  const { id } = await uploadRecord(clinician, caseId, { title: TITLE, files })
  await sendRecord(clinician, caseId, { title: TITLE, files: [refused] })
  const { accountId: specialist } = exchange.people.specialistGb
  const wanted = { specialist, records: [id], purpose: PURPOSE }
  await clinician.send('POST', `/v1/cases/${caseId}/shares`, wanted)
  await clinician.json('POST', `/v1/records/${id}/patient-confirmation`, { reason: REASON })
}

/** A draft with a file that has come, one that is still arriving and one that was refused. */
async function byTus(clinician: Client, caseId: string): Promise<void> {
  const fields = { kind: 'other', title: TITLE, date: '2026-11-02' }
  const { id: draft } = await clinician.json<{ id: string }>(
    'POST',
    `/v1/cases/${caseId}/drafts`,
    fields
  )
  const file = Buffer.from(CONTENT)
  for (const [name, bytes] of [
    [FILE_NAME, file.length],
    [FILE_NAME, 50_000],
    [`${FILE_NAME}.pdf`, file.length]
  ] as const) {
    const path = await beginUpload(clinician, file.length, { draft, filename: name })
    await sendPatch(clinician, path, 0, file.subarray(0, bytes))
    await clinician.send('HEAD', path, undefined, TUS)
  }
  await sendBegin(clinician, 10, { draft: PATIENT_NAME, filename: FILE_NAME })
  await clinician.json('GET', `/v1/drafts/${draft}`)
}

/** The whole of an exchange, with every way of going wrong that carries something secret. */
async function live(exchange: TestExchange) {
  const clinician = exchange.client('clinician')
  const specialist = exchange.client('specialistUs')
  const { id: caseId } = await createCase(clinician)
  const files = [{ name: FILE_NAME, bytes: Buffer.from(CONTENT) }]
  const record = await uploadRecord(clinician, caseId, { title: TITLE, files })
  const unclean = [{ name: FILE_NAME, bytes: Buffer.from(`${CONTENT}unclean`) }]
  await sendRecord(clinician, caseId, { title: TITLE, files: unclean })
  await anotherPatients(exchange, caseId)
  await byTus(clinician, caseId)
  const held = safeguard(exchange.clock.now(), { reference: REFERENCE })
  const share = await shareRecords(exchange, caseId, [record.id], {
    with: 'specialistUs',
    safeguard: held
  })
  await openShare(specialist, share.link)
  await specialist.send('GET', `/v1/shares/${share.id}/records/${record.id}/content`)
  await specialist.send('GET', `/v1/shares/${share.id}`)
  const other = await shareRecords(exchange, caseId, [record.id])
  await clinician.json('DELETE', `/v1/shares/${other.id}`)

  const copied = await pseudonymised(exchange, caseId, held)

  const token = String(share.link.split('#')[1])
  const bearer = String(await specialist.token())
  const misplaced = [
    `/v1/cases?nhs=${NHS_NUMBER}&name=${encodeURIComponent(PATIENT_NAME)}`,
    `/v1/cases/${NHS_NUMBER}`,
    `/v1/records/${encodeURIComponent(FILE_NAME)}`,
    `/s/${token}`,
    `/s?link=${token}`,
    `/v1/shares/${token}`,
    `/v1/account?access_token=${bearer}`,
    `/${encodeURIComponent(TITLE)}`,
    `/v1/cases/%zz${NHS_NUMBER}`
  ]
  for (const path of misplaced) {
    await clinician.send('GET', path)
    await exchange.client().send('GET', path, undefined, { referer: share.link })
  }
  const body = { patient: { name: PATIENT_NAME }, question: QUESTION, [NHS_NUMBER]: TITLE }
  await clinician.send('POST', '/v1/cases', body)
  await clinician.send('POST', '/v1/cases', `{"patient": "${PATIENT_NAME}`, {
    'content-type': 'application/json'
  })
  await sendLink(specialist, `${token}x`)
  await givingOpinion(exchange, share.id, caseId, record.id)
  await askAndClose(exchange)
  await ending(exchange)
  await agreeAndWithdraw(exchange)
  const newer = await moreTime(exchange, caseId, record.id)
  const invited = await inviting(exchange)
  return { caseId, record, share, token, bearer, copied, invited, newer }
}

/** A scan that names its patient, read through a pseudonymised share: resolves to all of its answers. */
async function pseudonymised(exchange: TestExchange, caseId: string, held: Safeguard) {
  const specialist = exchange.client('specialistUs')
  const bytes = ctSlice([
    ['0010,0010', 'PN', PATIENT_NAME],
    ['0010,0020', 'LO', NHS_NUMBER],
    ['0020,4000', 'LT', TITLE]
  ])
  const files = [{ name: `${PATIENT_NAME}.dcm`, bytes }]
  const scan = await uploadRecord(exchange.client('clinician'), caseId, { title: TITLE, files })
  const options = { with: 'specialistUs', safeguard: held, pseudonymise: true } as const
  const share = await shareRecords(exchange, caseId, [scan.id], options)
  const opened = await openShare(specialist, share.link)
  const answers = await Promise.all(
    [`/v1/shares/${share.id}`, sharedPath(share.id, String(opened.records[0]?.id))].map(path =>
      specialist.send('GET', path)
    )
  )
  return [
    Buffer.from(JSON.stringify(opened)),
    ...answers.flatMap(({ bytes, headers }) => [bytes, Buffer.from(JSON.stringify([...headers]))])
  ]
}

/** A request with everything in it, answered, refused, shared before it was complete, and closed. */
async function askAndClose(exchange: TestExchange): Promise<void> {
  const clinician = exchange.client('clinician')
  const now = exchange.clock.now()
  const { caseId, letterId } = await readyCase(clinician, now)
  await putAnswers(clinician, caseId, [
    { item: 'slides-or-blocks', status: 'present', note: NOTE },
    { item: 'imaging', status: 'not-applicable', reason: NOT_APPLICABLE }
  ])
  await putRequest(clinician, caseId, wholeRequest(now), '"0"')
  await putRequest(clinician, caseId, { ...wholeRequest(now), dueDate: '2001-01-01' })
  await putRequest(clinician, caseId, { ...wholeRequest(now), [PATIENT_NAME]: NHS_NUMBER })
  const records = [letterId]
  await shareRecords(exchange, caseId, records, { overrideReason: OVERRIDE }).then(share =>
    openShare(exchange.client('specialistGb'), share.link)
  )
  const path = `/v1/cases/${caseId}/close`
  await clinician.send('POST', path, { reason: CLOSING })
  await clinician.json('POST', path, { reason: CLOSING, revokeShares: true })
}

/** More time is asked for, declined, and given: resolves to the token of the new link. */
async function moreTime(exchange: TestExchange, caseId: string, recordId: string): Promise<string> {
  const specialist = exchange.client('specialistGb')
  const clinician = exchange.client('clinician')
  const { id } = await shareRecords(exchange, caseId, [recordId])
  const path = `/v1/shares/${id}/more-time`
  await specialist.json('POST', path, { words: ASKED })
  await specialist.send('POST', path, { words: ASKED, [PATIENT_NAME]: NHS_NUMBER })
  await clinician.json('POST', `${path}/decline`, { reason: DECLINED })
  await specialist.json('POST', path, { words: ASKED })
  await clinician.json('GET', path)
  const given = await clinician.json<{ link: string }>('POST', `${path}/approve`, {
    lifeHours: 100
  })
  await openShare(specialist, given.link)
  await clinician.json('GET', '/v1/shares?state=live')
  return String(given.link.split('#')[1])
}

/** A case that is held, let go and erased, with what is told of it then. */
async function ending(exchange: TestExchange): Promise<void> {
  const clinician = exchange.client('clinician')
  const administrator = exchange.client('administrator')
  const auditor = exchange.client('auditor')
  const { id } = await createCase(clinician)
  const files = [{ name: FILE_NAME, bytes: Buffer.from(CONTENT) }]
  const record = await uploadRecord(clinician, id, { title: TITLE, files })
  await shareRecords(exchange, id, [record.id])
  const path = `/v1/cases/${id}`
  const held: { id: string } = await administrator.json('POST', `${path}/holds`, { reason: HELD })
  await administrator.send('POST', `${path}/erasure`, { reason: ERASED })
  await administrator.send('POST', `${path}/holds/${held.id}/lift`, { reason: LIFTED })
  const made: { id: string } = await administrator.json('POST', `${path}/erasure`, {
    reason: ERASED
  })
  await auditor.json('GET', `/v1/erasures/${made.id}`)
  await auditor.json('GET', `${path}/retention`)
  await auditor.json('POST', '/v1/audit/reports', { case: id, format: 'json' })
  await clinician.send('GET', path)
  await clinician.send('GET', `/v1/records/${record.id}`)
}

/** The register and an invitation, with what goes wrong on the way. */
async function inviting(exchange: TestExchange) {
  const administrator = exchange.client('administrator')
  const clinician = exchange.client('clinician')
  const input = entryInput({ name: ENTERED })
  const made = await administrator.send('POST', '/v1/specialists', input)
  const path = `/v1/specialists/${made.json.id}`
  await administrator.send('POST', `${path}/verify`, { evidence: EVIDENCE }, { 'if-match': '"1"' })
  await administrator.send('PUT', path, input, { 'if-match': '"1"' })
  await administrator.send('POST', '/v1/specialists', { ...input, country: 'UK', email: EMAIL })
  await administrator.send('POST', '/v1/specialists/import', `${ENTERED},${EMAIL}\n`, {
    'content-type': 'text/csv'
  })
  const body = invitationInput({ email: EMAIL, message: MESSAGE })
  const { invitation, code } = await clinician.json<{ invitation: { id: string }; code: string }>(
    'POST',
    '/v1/invitations',
    body
  )
  await clinician.send('POST', '/v1/invitations', { ...body, codeAddress: EMAIL })
  const { link } = await mailOf(exchange, invitation.id)
  const { key } = await newKey()
  await sendAccept(exchange, { link, code: '00000-00000', key })
  await sendAccept(exchange, { link: `${link}x`, code, key })
  await exchange.client().send('GET', `/i?link=${link}&code=${code}`)
  const second = await clinician.json<{ code: string }>(
    'POST',
    `/v1/invitations/${invitation.id}/resend`,
    { codeChannel: 'letter' }
  )
  const { link: newer } = await mailOf(exchange, invitation.id)
  await sendAccept(exchange, { link: newer, code: second.code, key })
  // Nobody accepts this one, so its mail is not overtaken.
  const waiting = await clinician.json<{ invitation: { id: string }; code: string }>(
    'POST',
    '/v1/invitations',
    invitationInput({ email: WAITING })
  )
  const { link: third } = await mailOf(exchange, waiting.invitation.id)
  return { links: [link, newer, third], codes: [code, second.code, waiting.code] }
}

/** Everything strangers are told when they try every way in. */
async function strangersHear(
  exchange: TestExchange,
  { caseId, record, share }: Awaited<ReturnType<typeof live>>
): Promise<[who: string, answer: Answer][]> {
  const answers: [string, Answer][] = []
  const who: (PersonName | undefined)[] = [
    'stranger',
    'specialistGb',
    'otherClinician',
    'otherAuditor',
    'administrator',
    undefined
  ]
  const object = String(record.objects[0]?.id)
  for (const person of who) {
    const client = exchange.client(person)
    for (const path of [
      '/v1/cases',
      `/v1/cases/${caseId}`,
      `/v1/cases/${caseId}/records`,
      `/v1/records/${record.id}`,
      `/v1/records/${record.id}/content`,
      `/v1/records/${record.id}/objects/${object}/content`,
      `/v1/shares`,
      `/v1/shares/${share.id}`,
      `/v1/shares/${share.id}/records/${record.id}/content`,
      '/v1/audit/events',
      '/v1/audit/events/export',
      '/v1/audit/checkpoint',
      '/v1/audit/keys',
      '/v1/audit/tile/entries/000.p/20',
      '/metrics',
      '/openapi.json',
      '/readyz'
    ]) {
      answers.push([`${person} GET ${path}`, await client.send('GET', path)])
    }
    answers.push([`${person} opening`, await sendLink(client, share.link)])
  }
  return answers
}

t.test('no key, no token and no name is anywhere it must not be', async t => {
  const clamd = await scriptedClamd(t)
  clamd.script = {
    replyTo: file => (file.includes('unclean') ? 'stream: Test.X FOUND\0' : 'stream: OK\0')
  }
  const mails = await startMailServer(t)
  const receiver = await startReceiver(t)
  const city = await scriptedIssuer(t, CLIENT_SECRET)
  const exchange = await startExchange(t, {
    env: {
      ...mailSettings(mails),
      ...issuerSettings(t, [{ name: 'city', issuer: city.url }]),
      CONSILIUM_WEBHOOK_NETWORKS: '127.0.0.1',
      CONSILIUM_CLAMD: clamd.address
    }
  })
  const hook: { id: string; secret: string } = await exchange
    .client('administrator')
    .json('POST', '/v1/webhooks', { url: `http://127.0.0.1:${receiver.port}/${HOOK_PATH}` })
  const delivering = deliver(t, exchange)
  const told = await live(exchange)
  const signing = new Map([
    ...(await wordsOfSigningIn(exchange)),
    ...(await wordsOfIssuer(exchange, city))
  ])
  for (const channel of ['mail', 'webhook']) await untilEnded(exchange, channel)
  await delivering.stop()
  const heard = await strangersHear(exchange, told)
  const log = await exchange.client('auditor').send('GET', '/v1/audit/events/export')
  await exchange.auditEvents()

  const names = personal(exchange)
  const secret = await keys(exchange)
  const [, , signature = ''] = told.token.split('.')
  const assertions = await assertion(exchange.people.clinician.key)
  await exchange.client().send('POST', '/oidc/token', assertions)
  const tokens: Secrets = new Map([
    ['link', [Buffer.from(told.token)]],
    ['link that gives more time', [Buffer.from(told.newer)]],
    ['signature of the link', spellings(Buffer.from(signature, 'base64url'))],
    ['access token', [Buffer.from(told.bearer)]],
    ['client assertion', [Buffer.from(assertions)]],
    ['webhook secret', spellings(Buffer.from(hook.secret.slice(6), 'base64'))],
    ['webhook secret, as it is shown', [Buffer.from(hook.secret)]],
    ['webhook address', [Buffer.from(HOOK_PATH)]]
  ])
  for (const [n, link] of told.invited.links.entries()) {
    tokens.set(`link ${n} of an invitation`, [Buffer.from(String(link.split('#')[1]))])
  }
  for (const [label, word] of signing) {
    const isRandom = /^[\w-]{43}$/.test(word)
    const bare = Buffer.from(word.replaceAll('-', ''))
    const raw = isRandom ? spellings(Buffer.from(word, 'base64url')) : [bare]
    tokens.set(label, [Buffer.from(word), ...raw])
  }
  t.ok(signing.size > 30)
  for (const code of told.invited.codes) {
    tokens.set(`enrolment code ${code}`, [Buffer.from(code), Buffer.from(code.replace('-', ''))])
  }
  for (const who of Object.keys(exchange.people) as PersonName[]) {
    tokens.set(`token of ${who}`, [Buffer.from(String(await exchange.client(who).token()))])
  }
  t.ok(secret.size > 15 && tokens.size > 10)
  const all: Secrets = new Map([...names, ...secret, ...tokens])

  // The link is in the mail that is for the link, and nothing else of all this is in any.
  t.ok(mails.taken.some(({ parsed }) => parsed.text?.includes(told.share.link)))
  t.ok(mails.taken.length >= 3 && receiver.received.length >= 3)
  for (const subject of Object.keys(heldBy)) {
    t.ok(
      mails.taken.some(({ parsed }) => parsed.subject === subject),
      subject
    )
  }
  const mailed: Secrets = new Map([...all].filter(([label]) => !label.startsWith('address of')))
  for (const { raw, parsed, recipients } of mails.taken) {
    const whole = [raw, parsed.text, parsed.html, parsed.subject].join('\n')
    const leaked = found(mailed, Buffer.from(whole))
    const mayHold = heldBy[String(parsed.subject)] ?? /^$/
    const others = leaked.filter(label => !mayHold.test(label))
    t.same(others, [], `the mail “${parsed.subject}”`)
    const addresses = found(all, Buffer.from(whole)).filter(label => !mailed.has(label))
    const isInvited = [EMAIL, WAITING].includes(String(recipients[0]))
    t.equal(addresses.length, isInvited ? 0 : 1, 'has its own address and no other')
    t.equal(recipients.length, 1, 'goes to one address')
  }
  for (const { body, signature } of receiver.received) {
    t.same(found(all, Buffer.from(`${body}${signature}`)), [], 'a delivery to a webhook')
  }

  t.ok(exchange.logged().length > 5000, 'there is a log to search')
  t.same(found(all, Buffer.from(exchange.logged())), [], 'in the operator’s log')

  for (const [name, bytes] of filesOf(exchange.directory)) t.same(found(all, bytes), [], name)
  if (TEST_DATABASE === 'postgres') {
    const intruder = await intrude(t, exchange.config)
    for (const table of Object.values(tables.postgres)) {
      const name = getTableName(table)
      const values = (await intruder.run(`SELECT * FROM ${name}`)).flatMap(Object.values)
      const bytes = values.map(value =>
        Buffer.isBuffer(value) ? value : Buffer.from(`${value}\n`)
      )
      t.same(found(all, Buffer.concat(bytes)), [], `table ${name}`)
    }
  }
  await exchange.app.stop()
  const files = filesOf(exchange.directory)
  t.equal(
    files.some(([name]) => name === 'consilium.db'),
    TEST_DATABASE === 'sqlite',
    'the database is a file on SQLite alone'
  )
  t.ok(files.some(([name]) => name.startsWith('objects/blobs/')))
  for (const [name, bytes] of files) t.same(found(all, bytes), [], `${name}, after a stop`)

  const others: Secrets = new Map([...all].filter(([label]) => !isTold(label, exchange)))
  for (const [label, { bytes, headers }] of heard) {
    t.same(found(others, bytes), [], label)
    t.same(found(others, Buffer.from(JSON.stringify([...headers]))), [], `headers of ${label}`)
  }

  const ofPatient: Secrets = new Map([...names].filter(([label]) => !isOfSender(label, exchange)))
  for (const bytes of told.copied) {
    t.same(found(ofPatient, bytes), [], 'what the specialist of a pseudonymised share is told')
  }

  t.match(log.text, told.share.id, 'the auditor’s log')
  const notForAuditors: Secrets = new Map([...all].filter(([label]) => !isName(label, exchange)))
  for (const label of names.keys()) if (isOnTheLog(label)) notForAuditors.delete(label)
  notForAuditors.delete('purpose')
  notForAuditors.delete('override reason')
  // Who has accepted is a person like the others, and why somebody was verified is for auditors.
  notForAuditors.delete('invited person')
  notForAuditors.delete('evidence of a verification')
  notForAuditors.delete('safeguard reference')
  notForAuditors.delete('reason of a confirmation')
  notForAuditors.delete('reason of an erasure')
  t.same(
    found(notForAuditors, log.bytes),
    [],
    'tells who, what and why, and nothing of the patient'
  )
})

t.test('this test would see a secret', async t => {
  const secrets: Secrets = new Map([['key', spellings(Buffer.alloc(32, 0xa7))]])
  for (const form of ['hex', 'base64', 'base64url'] as const) {
    const text = `before ${Buffer.alloc(32, 0xa7).toString(form)} after`
    t.same(found(secrets, Buffer.from(text)), ['key'], form)
  }
  t.same(found(secrets, Buffer.alloc(40, 0xa7)), ['key'], 'raw')
  t.same(found(secrets, Buffer.alloc(40, 0xa6)), [])
})

/** What a mail may hold, besides the address that it goes to. */
const heldBy: Record<string, RegExp> = {
  'A case has been shared with you': /^(link|signature of the link)$/,
  'You have been given more time': /^link that gives more time$/,
  'You are invited to give a second opinion': /^(link \d of an invitation|e-mail address.*)$/
}

/** Names of their own people that the other trust's auditor, and anybody of themselves, may read. */
function isTold(label: string, exchange: TestExchange): boolean {
  const { otherClinician, otherAuditor } = exchange.people
  return label === otherClinician.name || label === otherAuditor.name
}

function isName(label: string, exchange: TestExchange): boolean {
  return Object.values(exchange.people).some(person => person.name === label)
}

/** What the specialist of a share is told in any case: who sends it, and why. */
function isOfSender(label: string, exchange: TestExchange): boolean {
  return isName(label, exchange) || ['purpose', 'question'].includes(label)
}
