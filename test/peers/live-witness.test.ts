import t from 'tap'
import { verifiedCosignatures } from '../../src/audit/tlog/cosignature.ts'
import { parseNote, parseVerifierKey } from '../../src/audit/tlog/note.ts'
import { append, opened } from '../audit/tree/scene.ts'
import { eventually, startExchange, type TestExchange } from '../helpers/exchange.ts'
import { startWitness } from './witness.ts'

// A witness of others cosigns the checkpoints of the running service.

/** How many entries the checkpoint has that anybody gets, and who cosigned it. */
async function served(exchange: TestExchange, witness: string) {
  const { text } = await exchange.client().send('GET', '/v1/audit/checkpoint')
  const [vkey = ''] = exchange.exchange.tree.keys.keys.map(key => key.vkey)
  const { size } = opened(text, [vkey])
  const cosigned = verifiedCosignatures(parseNote(text), [parseVerifierKey(witness)])
  return { size, cosigned: cosigned.length }
}

const exchange = await startExchange(t)
const [logVkey = ''] = exchange.exchange.tree.keys.keys.map(key => key.vkey)
const witness = await startWitness(t, logVkey)
if (witness !== undefined) {
  t.test('what the service signs is cosigned, and goes on when the witness is down', async t => {
    const { vkey, url } = witness
    t.match(await served(exchange, vkey), { cosigned: 0 })
    // When the witness is told to the service.
    Object.assign(exchange.config, { witnesses: [{ vkey, url }] })
    await exchange.restart()
    const cosigned = (least: number) =>
      eventually('it is cosigned', async () => {
        const found = await served(exchange, vkey)
        return found.cosigned === 1 && found.size >= least ? found.size : undefined
      })
    for (const events of [1, 300, 2]) {
      await append(exchange.exchange, events)
      const { size } = await exchange.exchange.tree.settle()
      t.equal(await cosigned(size), size, `${size} entries`)
    }

    // When it is down, everything goes on but its signature.
    await witness.stop()
    await append(exchange.exchange, 5)
    const { size } = await exchange.exchange.tree.settle()
    t.same(await served(exchange, vkey), { size, cosigned: 0 })
    await eventually('the operator is told', () =>
      exchange.logged().includes('a witness did not sign') ? true : undefined
    )
    t.equal((await exchange.client('clinician').send('GET', '/v1/cases')).status, 200)
    t.equal((await exchange.client().send('GET', '/readyz')).status, 200)
  })
}
