import { DatabaseError } from 'pg'
import t from 'tap'
import { commitInOurWords, inOurWords, StatementError } from '../../src/database/postgres-errors.ts'
import { Refusal } from '../../src/errors.ts'

function ofServer(code: string): DatabaseError {
  const err = new DatabaseError('value 999 000 0018', 0, 'error')
  err.code = code
  return err
}

const broken = (code: string) => Object.assign(new Error('it broke'), { code })

t.test('a way to the server that breaks is a refusal, TLS and all', async t => {
  for (const code of ['ECONNRESET', 'ERR_SSL_BAD_RECORD_MAC', 'ERR_TLS_CERT_ALTNAME_INVALID']) {
    t.match(inOurWords(broken(code)), { code: 'storage-unavailable' }, code)
  }
  t.match(inOurWords(ofServer('57P01')), { code: 'storage-unavailable' })
  t.match(inOurWords(ofServer('53100')), { code: 'storage-full' })
  const ours = new RangeError('a mistake of our own')
  t.equal(inOurWords(ours), ours)
})

t.test('of a commit only the server can say that nothing is stored', async t => {
  // Given the server's own word
  const undone = commitInOurWords(ofServer('40001'))
  t.ok(undone instanceof StatementError)
  // And anything else that may come instead of an answer
  for (const err of [broken('ERR_SSL_BAD_RECORD_MAC'), broken('ERR_UNHEARD_OF'), new Error('?')]) {
    const told = commitInOurWords(err)
    // Then it may be stored, and what its rows need is left alone
    t.ok(told instanceof Refusal)
    t.match(told, { code: 'storage-unavailable' })
  }
})
