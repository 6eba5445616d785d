import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { publicFace, type RefusalCode, refusalCodes } from '../../src/errors.ts'
import { dayEndedAt, fromNowText } from '../../src/web/moments.ts'
import { readTexts } from '../../src/web/texts.ts'

const texts = readTexts('en')

t.test('a text is found by its name, with its values, in the plural that fits', async t => {
  t.equal(texts('common.sign-in'), 'Sign in')
  t.match(texts('common.tell-operator', { id: 'r-1', code: 'x' }), /r-1 \(x\)/)
  t.throws(() => texts('common.nothing'), /no text called common\.nothing/)
  t.throws(() => texts('common.tell-operator', { id: 'r-1' }), /needs code/)
  t.equal(texts.has('common.nothing'), false)
})

const WEB = join(import.meta.dirname, '../../src/web')
const ENGLISH = join(WEB, 'texts/en')

/** Labels that are found by a code, or by the name of a field, and so have their place in each area. */
const FOUND_BY_CODE = [
  'Not open yet',
  'Read the opinion',
  'The patient’s consent',
  'Where they work'
]

t.test('what is said in two areas is said in one place: common.json', async t => {
  const found = new Map<string, string[]>()
  for (const file of readdirSync(ENGLISH)) {
    const texts = JSON.parse(readFileSync(join(ENGLISH, file), 'utf8'))
    for (const [key, text] of Object.entries<string | object>(texts)) {
      const said = typeof text === 'string' ? text : JSON.stringify(text)
      // A word or two may be other words in another language, by what they stand beside.
      const isWhole = typeof text !== 'string' || text.split(/\s+/).length > 2
      if (!isWhole || FOUND_BY_CODE.includes(said)) continue
      found.set(said, [...(found.get(said) ?? []), `${file}: ${key}`])
    }
  }
  const areasOf = (names: string[]) => new Set(names.map(name => name.split(':')[0])).size
  t.ok(found.size > 500, 'the catalogues are found')
  t.same(
    [...found].filter(([, names]) => areasOf(names) > 1),
    []
  )
})

t.test('every text that a page names is there', async t => {
  const names = readdirSync(ENGLISH).flatMap(file => {
    const keys = Object.keys(JSON.parse(readFileSync(join(ENGLISH, file), 'utf8')))
    return keys.map(key => `${file.replace('.json', '')}.${key}`)
  })
  const areas = new Set(names.map(name => name.split('.')[0]))
  for (const file of readdirSync(WEB, { recursive: true, encoding: 'utf8' })) {
    if (!/\.(njk|ts)$/.test(file)) continue
    const page = readFileSync(join(WEB, file), 'utf8')
    for (const [, name = '', area = '', after = ''] of page.matchAll(
      /\bt(?:exts)?\(\s*["']((\w+)\.[\w.-]*)["']\s*(\S)?/g
    )) {
      if (!areas.has(area)) continue
      const isBeginning = /[~+]/.test(after)
      const isThere = names.some(one => (isBeginning ? one.startsWith(name) : one === name))
      t.ok(isThere, `${file}: ${name}`)
    }
  }
})

t.test('what a person is told to do next is no instruction for a machine', async t => {
  const names = readFileSync(new URL('../../src/web/texts/en/next.json', import.meta.url), 'utf8')
  for (const code of Object.keys(JSON.parse(names))) {
    t.ok(refusalCodes.includes(code as RefusalCode), `${code} is a code`)
  }
  // These are for machines alone: no page and no form of a page leads to them.
  const machines =
    /^(token|webhook|format|patient-in-url|range|recipient|snomed|digest|tus|checksum|consent-text|identity|log-)/
  for (const code of refusalCodes.filter(name => !machines.test(name))) {
    const own = `next.${code}`
    const next = texts.has(own) ? texts(own) : publicFace(code).next
    t.notMatch(
      next,
      /\/v1|\/fhir|openapi|API|If-Match|ETag|\b[a-z]+[A-Z][a-z]+\b|header/,
      `${code}: ${next}`
    )
  }
})

t.test('what is due by the end of a day says that day, to whoever lives by its clock', async t => {
  const end = '2026-07-02T23:00:00Z'
  t.equal(dayEndedAt(end, 'Europe/London'), '2 July 2026 (London)')
  t.equal(dayEndedAt(end, 'Asia/Kolkata'), undefined, 'elsewhere it is no end of a day')
  t.equal(dayEndedAt(Date.parse(end) + 1000, 'Europe/London'), undefined)
})

t.test('how far away a moment is', async t => {
  const now = Date.parse('2026-07-02T12:00:00Z')
  t.equal(fromNowText(now - 59_000, now), 'this minute')
  t.equal(fromNowText(now - 60_000, now), '1 minute ago')
  t.equal(fromNowText(now + 3 * 86_400_000, now), 'in 3 days')
})
