import { readFileSync } from 'node:fs'
import { verifyConsistency } from '../../src/audit/tlog/tree.ts'
import { dataPaths } from '../../src/open-data.ts'
import { leavesOf, opened, rootOf } from '../audit/tree/scene.ts'
import { type BeginStory, ROUNDS } from './kill-rounds.ts'

/** The log as anybody reads it: a checkpoint that was served holds whatever happens after it. */
export const log: BeginStory = async (t, service) => {
  const get = async (path: string) => {
    const answer = await fetch(`${service.url}/v1/audit/${path}`)
    if (!answer.ok) throw new Error(`${path}: ${answer.status}`)
    return answer.text()
  }
  const vkeys = (await get('keys')).trimEnd().split('\n')
  let latest = opened(await get('checkpoint'), vkeys)
  let served = 0

  /** Follows the log as a verifier does that comes by now and then. */
  async function follow() {
    const next = opened(await get('checkpoint'), vkeys)
    served += 1
    if (next.size < latest.size) t.fail(`the log shrank from ${latest.size} to ${next.size}`)
    if (next.size > latest.size) {
      const lines = await get(`consistency?from=${latest.size}&to=${next.size}`)
      const proof = lines.split('\n').flatMap(line => (line ? [Buffer.from(line, 'base64')] : []))
      if (!verifyConsistency(latest.size, latest.root, next.size, next.root, proof)) {
        t.fail(`the log of ${next.size} does not extend that of ${latest.size}`)
      }
    }
    latest = next
    await new Promise(resolve => setTimeout(resolve, 20))
  }

  async function look() {
    // The checkpoint before the kill is of the log after it, as is the one that is served now.
    const before = latest
    await follow()
    const leaves = await service.look(({ database }) => leavesOf(t, database))
    for (const { size, root } of [before, latest]) {
      if (!rootOf(leaves, size).equals(root)) t.fail(`the first ${size} events were changed`)
    }
    const copy = readFileSync(dataPaths(service.config.dataDirectory).checkpoint, 'utf8')
    const { size, root } = opened(copy, vkeys)
    if (!rootOf(leaves, size).equals(root)) t.fail('the copy is of another log')
  }

  async function finish() {
    t.comment(`${latest.size} events, ${served} checkpoints seen in ${ROUNDS} rounds`)
    t.ok(served > ROUNDS, 'checkpoints were followed')
    t.ok(latest.size > 10 * ROUNDS)
  }

  return { workers: [follow], look, finish }
}
