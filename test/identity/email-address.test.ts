import fc from 'fast-check'
import t from 'tap'
import { readEmailAddress } from '../../src/identity/email-address.ts'

t.test('an address that mail can go to has one form', async t => {
  for (const [given, stored] of [
    ['carol@royal.example', 'carol@royal.example'],
    ['  Carol.Goldcrest+notices@Royal.EXAMPLE ', 'Carol.Goldcrest+notices@royal.example'],
    ["o'neill@nhs.uk", "o'neill@nhs.uk"],
    ['a@xn--mnchen-3ya.example', 'a@xn--mnchen-3ya.example'],
    ['arzt@münchen.example', 'arzt@xn--mnchen-3ya.example'],
    [`${'a'.repeat(64)}@b.example`, `${'a'.repeat(64)}@b.example`]
  ] as const) {
    t.equal(readEmailAddress(given), stored, given)
  }
})

t.test('what is none, or carries more than an address, is refused', async t => {
  for (const given of [
    '',
    'carol',
    '@royal.example',
    'carol@',
    'carol@localhost',
    'carol@10.0.0.1',
    'carol@[10.0.0.1]',
    'carol@royal..example',
    'carol@-royal.example',
    'carol@royal.example.',
    'carol@royal.123',
    '.carol@royal.example',
    'ca..rol@royal.example',
    '"carol rice"@royal.example',
    'Carol <carol@royal.example>',
    'carol@royal.example, eve@evil.example',
    'carol@royal.example;eve@evil.example',
    'carol@royal.example\r\nBcc: eve@evil.example',
    'carol\r\nRCPT TO:<eve@evil.example>@royal.example',
    'carol\u0000@royal.example',
    'carol@royal.example/path',
    'carol@royal.example?x',
    'carol@user:royal.example',
    'carol@@royal.example',
    'caról@royal.example',
    `${'a'.repeat(65)}@b.example`,
    `a@${'b.'.repeat(130)}example`
  ]) {
    t.equal(readEmailAddress(given), undefined, JSON.stringify(given))
  }
})

t.test('nothing that passes can end a header or a command', async t => {
  fc.assert(
    fc.property(
      fc.oneof(fc.string({ unit: 'binary' }), fc.emailAddress(), fc.string()),
      fc.string({ unit: 'grapheme' }),
      (left, right) => {
        for (const text of [left, `${left}@${right}`, `${left}@${right}.example`]) {
          const address = readEmailAddress(text)
          if (address === undefined) continue
          if (!/^[\x21-\x7e]+@[a-z0-9.-]+$/.test(address) || /[<>",;:\\()[\]]/.test(address)) {
            throw new Error(JSON.stringify([text, address]))
          }
          if (readEmailAddress(address) !== address) throw new Error('it has two forms')
        }
      }
    ),
    { numRuns: 5000 }
  )
  t.pass()
})
