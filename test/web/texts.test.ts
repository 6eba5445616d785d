import { readFileSync } from 'node:fs'
import t from 'tap'
import { publicFace, type RefusalCode, refusalCodes } from '../../src/errors.ts'
import { fromNowText } from '../../src/web/moments.ts'
import { readTexts } from '../../src/web/texts.ts'

const texts = readTexts('en')

t.test('a text is found by its name, with its values, in the plural that fits', async t => {
  t.equal(texts('common.sign-in'), 'Sign in')
  t.match(texts('common.tell-operator', { id: 'r-1', code: 'x' }), /r-1 \(x\)/)
  t.throws(() => texts('common.nothing'), /no text called common\.nothing/)
  t.throws(() => texts('common.tell-operator', { id: 'r-1' }), /needs code/)
  t.equal(texts.has('common.nothing'), false)
})

t.test('how far away a moment is', async t => {
  t.equal(fromNowText(0, 1), 'just now')
  t.equal(fromNowText(59_999, 0), 'in less than a minute')
  t.equal(fromNowText(0, 60_000), '1 minute ago')
  t.equal(fromNowText(7_200_000, 0), 'in 2 hours')
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
