import { once } from 'node:events'
import { chmodSync, cpSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { buildApp } from '../../src/app.ts'
import { ConfigError, readConfig } from '../../src/config.ts'
import { createLogger } from '../../src/log.ts'
import { dataPaths, prepareData } from '../../src/open-data.ts'
import { createKeyringFile } from '../../src/sealing/keyrings/file.ts'
import { sqliteOnly, TEST_DATABASE } from '../helpers/databases.ts'
import { createCase, sampleFile, uploadRecord } from '../helpers/story.ts'
import { letter } from '../samples/samples.ts'
import { type RealService, spawnService, startRealService } from './real-service.ts'
import { assertSoundAtRest, blobFiles, filesBelow } from './soundness.ts'

type Paths = ReturnType<typeof dataPaths>

/** Starts the service on these data, and gives what it says as it ends at once. */
async function refusedStart(t: Test, directory: string, settings = {}) {
  const child = spawnService({ ...settings, CONSILIUM_DATA: directory, CONSILIUM_PORT: '0' })
  t.teardown(() => child.kill('SIGKILL'))
  let told = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', text => {
      told += text
    })
  }
  const [code] = await once(child, 'close')
  return { code, told }
}

const edit = (path: string, change: (text: string) => string) =>
  writeFileSync(path, change(readFileSync(path, 'utf8')))

/**
 * Every way to spoil the data, and what the operator is told to do about it; some by a process of
 * its own, which takes longer.
 */
const spoils: [what: string, spoil: (paths: Paths) => unknown, told: RegExp, alone?: 'alone'][] = [
  [
    'a key ring that is missing',
    p => rmSync(p.keyring),
    /keyring\.json is missing.*backup/,
    'alone'
  ],
  [
    'a key ring that is cut off',
    p => edit(p.keyring, text => text.slice(0, -30)),
    /keyring\.json is damaged.*backup/
  ],
  ['a key ring that is empty', p => edit(p.keyring, () => ''), /keyring\.json is damaged.*backup/],
  [
    'a key ring with one letter of its key changed',
    p =>
      edit(p.keyring, text =>
        text.replace(
          /("key": ".{5})(.)/,
          (_, before, letter) => before + (letter === 'A' ? 'B' : 'A')
        )
      ),
    /keyring\.json is damaged.*backup/
  ],
  [
    'a key ring others may read',
    p => chmodSync(p.keyring, 0o640),
    /keyring\.json .*nobody else.*chmod 600/,
    'alone'
  ],
  [
    'the key ring of other data',
    async p => {
      rmSync(p.keyring)
      await createKeyringFile(p.keyring)
    },
    /keyring\.json .*lacks a key.*backup/
  ],
  [
    'a key ring with another key under the same name',
    async p => {
      const id = /"current": "([^"]+)"/.exec(readFileSync(p.keyring, 'utf8'))?.[1]
      const other = join(p.directory, 'other.json')
      await createKeyringFile(other)
      rmSync(p.keyring)
      renameSync(other, p.keyring)
      edit(p.keyring, text => text.replaceAll(/kek-[0-9a-f]+/g, String(id)))
    },
    /keyring\.json is damaged/
  ],
  [
    'issuer keys that are missing',
    p => rmSync(p.issuerKeys),
    /issuer\.jwks\.json is missing.*backup/
  ],
  [
    'issuer keys that are damaged',
    p => edit(p.issuerKeys, text => text.slice(9)),
    /issuer\.jwks\.json is damaged.*backup/
  ],
  ['link keys that are missing', p => rmSync(p.linkKeys), /links\.jwks\.json is missing.*backup/],
  ['link keys others may read', p => chmodSync(p.linkKeys, 0o644), /links\.jwks\.json .*chmod 600/],
  [
    'a database that is missing',
    p => {
      for (const end of ['', '-wal', '-shm']) rmSync(p.database + end, { force: true })
    },
    /consilium\.db is missing.*backup/,
    'alone'
  ]
]

async function stoppedService(t: Test): Promise<RealService> {
  const service = await startRealService(t)
  const clinician = service.client('clinician')
  const { id } = await createCase(clinician)
  await uploadRecord(clinician, id, { files: [sampleFile(letter)] })
  t.equal(await service.stop(), 0)
  return service
}

/** What is told when these data are opened as the service opens them. */
async function refusedHere(settings: Record<string, string>, directory: string) {
  const config = readConfig({ ...settings, CONSILIUM_DATA: directory })
  const log = createLogger('silent')
  let release = () => {}
  try {
    const lock = await prepareData(config)
    release = () => lock.release()
    await (await buildApp(config, log)).stop()
    return { code: 0, told: '' }
  } catch (err) {
    return { code: err instanceof ConfigError ? 1 : -1, told: String(err) }
  } finally {
    release()
  }
}

function lasting(directory: string): string[] {
  const passing = /consilium\.db|service\.lock/
  return filesBelow(directory)
    .filter(path => !passing.test(path))
    .sort()
}

t.test('with keys or a database that are not right the service does not start', async t => {
  const service = await stoppedService(t)
  const whole = service.config.dataDirectory
  const secrets = readFileSync(dataPaths(whole).keyring, 'utf8').match(/(?<="key": ")[^"]+/g) ?? []
  t.equal(secrets.length, 1)

  const usable = spoils.filter(
    ([what]) => TEST_DATABASE === 'sqlite' || what !== 'a database that is missing'
  )
  for (const [what, spoil, expected, alone] of usable) {
    const directory = join(t.testdirName, 'spoilt')
    cpSync(whole, directory, { recursive: true })
    await spoil(dataPaths(directory))
    const before = lasting(directory)
    const { code, told } = await (alone
      ? refusedStart(t, directory, service.settings)
      : refusedHere(service.settings, directory))
    t.equal(code, 1, what)
    t.match(told.replaceAll('\n', ' '), expected, 'it says what to do')
    t.notMatch(told, /\bat .*\.ts:/, 'in words, not in code')
    for (const secret of secrets) t.notMatch(told, secret)
    t.strictSame(lasting(directory), before, 'and makes and removes nothing')
    rmSync(directory, { recursive: true })
  }
  await service.start()
  t.equal(await service.stop(), 0, 'the data themselves are whole')
  await assertSoundAtRest(t, service.config, ['Synthetic sample document'])
})

t.test('a second service on the same data does not start', { skip: sqliteOnly }, async t => {
  const service = await startRealService(t)
  const { code, told } = await refusedStart(t, service.config.dataDirectory)
  t.equal(code, 1)
  t.match(told, /Another Consilium is running/)
  t.equal((await fetch(`${service.url}/readyz`)).status, 200, 'and the first goes on')
  t.strictSame(blobFiles(service.config.dataDirectory), [])
})
