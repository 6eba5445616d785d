import fc from 'fast-check'
import t from 'tap'
import { canonicalJson } from '../../src/audit/canonical.ts'

t.test('names are sorted by UTF-16 code unit, at every depth', async t => {
  // The names of RFC 8785, section 3.2.3, out of order.
  const names = ['\u20ac', '\r', '\ufb33', '1', '\u{1f600}', '\u0080', '\u00f6']
  const value = { outer: Object.fromEntries(names.map(name => [name, 0])), list: [{ b: 1, a: 2 }] }
  t.equal(
    canonicalJson(value),
    '{"list":[{"a":2,"b":1}],"outer":{"\\r":0,"1":0,"\u0080":0,"\u00f6":0,"\u20ac":0,"\u{1f600}":0,"\ufb33":0}}'
  )
})

t.test(
  'members that are undefined are left out, and numbers are as ECMAScript has them',
  async t => {
    const value = { a: undefined, b: 1e21, c: -0, d: [1e-7, 0.1, 100], e: { f: undefined } }
    t.equal(canonicalJson(value), '{"b":1e+21,"c":0,"d":[1e-7,0.1,100],"e":{}}')
  }
)

t.test('what JSON cannot say is refused, however deep and whatever the order', async t => {
  for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, 'half a \ud83d pair']) {
    for (const value of [bad, [bad], { a: bad }, { b: 1, a: { c: [bad] } }]) {
      t.throws(() => canonicalJson(value), TypeError)
    }
  }
  t.throws(() => canonicalJson({ 'half \ud83d': 1 }), TypeError)
})

t.test('the same members in any order are the same bytes', async t => {
  const member = fc.tuple(
    fc.string({ unit: 'binary' }),
    fc.jsonValue({ stringUnit: 'binary', maxDepth: 3 })
  )
  t.doesNotThrow(() =>
    fc.assert(
      fc.property(fc.uniqueArray(member, { selector: ([name]) => name }), members => {
        const safe = members.filter(([name]) => name !== '__proto__')
        const forwards = canonicalJson(Object.fromEntries(safe))
        const backwards = canonicalJson(Object.fromEntries(safe.toReversed()))
        const sorted = safe.toSorted(([a], [b]) => (a < b ? -1 : 1))
        const expected = `{${sorted.map(([name, value]) => `${JSON.stringify(name)}:${canonicalJson(value)}`).join(',')}}`
        return forwards === expected && backwards === expected
      })
    )
  )
})
