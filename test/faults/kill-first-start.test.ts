import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { buildApp } from '../../src/app.ts'
import { type Config, readConfig } from '../../src/config.ts'
import { createLogger } from '../../src/log.ts'
import { dataPaths, prepareData } from '../../src/open-data.ts'
import { plainNode } from '../helpers/own-process.ts'
import { unexpectedFiles } from './soundness.ts'
import { canMakeFaults } from './strace.ts'

/**
 * The very first start is killed before the n-th call of a kind: the four key files are linked into
 * their places, the database is written, the copy of the checkpoint and then the key file that knows
 * of it are renamed into theirs.
 */
const KILLS: [call: string, numbers: number[]][] = [
  ['link', [2, 4]],
  ['pwrite64', [3, 50]],
  ['rename', [1, 2]]
]

const main = new URL('first-start.ts', import.meta.url).pathname

/** Resolves to whether it was killed. */
async function killedAt(directory: string, call: string, n: number): Promise<boolean> {
  const inject = ['-e', `trace=${call}`, '-e', `inject=${call}:signal=KILL:when=${n}`]
  const child = spawn('strace', ['-f', '-o', '/dev/null', ...inject, ...plainNode(), main], {
    // One thread does all the work with files, so that calls are counted in their order.
    env: { PATH: process.env.PATH, CONSILIUM_DATA: directory, UV_THREADPOOL_SIZE: '1' },
    stdio: 'ignore'
  })
  const [code, signal] = await once(child, 'exit')
  return code !== 0 || signal !== null
}

async function startAndStop(config: Config): Promise<void> {
  const { release } = await prepareData(config)
  try {
    await (await buildApp(config, createLogger('silent'))).stop()
  } finally {
    release()
  }
}

const logOf = (config: Config): { origin?: string; begun?: string } => {
  const { logKeys } = dataPaths(config.dataDirectory)
  return existsSync(logKeys) ? JSON.parse(readFileSync(logKeys, 'utf8')) : {}
}

t.test('the first start may be killed anywhere, and the next goes on', async t => {
  t.teardown(() => {})
  if (!canMakeFaults(t)) return
  const below = t.testdir()
  for (const [call, numbers] of KILLS) {
    for (const n of numbers) {
      const directory = join(below, `${call}-${n}`)
      const config = readConfig({ CONSILIUM_DATA: directory, CONSILIUM_LOG_LEVEL: 'silent' })
      t.ok(await killedAt(directory, call, n), `killed before ${call} ${n}`)
      const { origin } = logOf(config)
      await t.resolves(startAndStop(config), 'the next start goes on')
      if (origin !== undefined) t.equal(logOf(config).origin, origin, 'with the same log')
      t.type(logOf(config).begun, 'string')
      t.same(unexpectedFiles(directory), [], 'and nothing is left over')
    }
  }
})
