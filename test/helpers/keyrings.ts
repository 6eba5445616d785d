import { writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import tap, { type Test } from 'tap'
import { addKek, createKeyringFile, openKeyringFile } from '../../src/sealing/keyrings/file.ts'
import type { KeyServicePatience } from '../../src/sealing/keyrings/key-service.ts'
import type { Keyring } from '../../src/sealing/keyrings/keyring.ts'
import { openKmsKeyring } from '../../src/sealing/keyrings/kms.ts'
import { openTransitKeyring } from '../../src/sealing/keyrings/transit.ts'
import { type FaultProxy, faultProxy } from './fault-proxy.ts'
import { type KmsServer, startKmsServer } from './kms-server.ts'
import { startTransitServer, type TransitServer } from './transit-server.ts'

/** Short enough for tests of a service that never answers. */
export const IMPATIENT: KeyServicePatience = {
  connectMilliseconds: 1000,
  answerMilliseconds: 400,
  totalMilliseconds: 3000,
  attemptsMax: 3
}

/** One kind of key ring with two KEKs. */
export interface KeyringUnderTest {
  kind: string
  /** The ids of its KEKs. */
  ids: [string, string]
  /** Opens it with these KEKs, the current one first. Each call stands for a process of its own. */
  open(keks: string[], patience?: KeyServicePatience): Promise<Keyring>
  /** Stands before the service; undefined when there is none. */
  proxy: FaultProxy | undefined
  /** A whole answer of the service that it will not do as it is asked. */
  forbidden: object
}

const kinds: Record<string, (t: Test) => Promise<KeyringUnderTest | undefined>> = {
  file: async t => {
    const directory = t.testdir()
    const path = join(directory, 'keyring.json')
    await createKeyringFile(path)
    await addKek(path, 0, async () => {})
    const ring = JSON.parse(await readFile(path, 'utf8'))
    const ids = ring.keys.map((key: { id: string }) => key.id)
    let opened = 0
    return {
      kind: 'file',
      ids,
      async open([current = '', ...others]) {
        const keys = ring.keys.filter((key: { id: string }) =>
          [current, ...others].includes(key.id)
        )
        opened += 1
        const file = join(directory, `keyring-${opened}.json`)
        writeFileSync(file, JSON.stringify({ ...ring, current, keys }), { mode: 0o600 })
        return openKeyringFile(file)
      },
      proxy: undefined,
      forbidden: {}
    }
  },
  kms: async t => {
    const server = await kmsServer(t)
    if (server === undefined) return undefined
    const proxy = await faultProxy(t, server.endpoint)
    const names: Record<string, string> = {
      'kms-1': await server.makeKey(),
      'kms-2': await server.makeKey()
    }
    return {
      kind: 'kms',
      ids: ['kms-1', 'kms-2'],
      async open(ids, patience = IMPATIENT) {
        const keks = ids.map(id => ({ id, name: names[id] ?? '' }))
        const { region } = server
        const keyring = openKmsKeyring({ region, endpoint: proxy.url, keks }, patience)
        t.teardown(() => keyring.close())
        return keyring
      },
      proxy,
      forbidden: { __type: 'AccessDeniedException', message: 'User: arn:aws:iam::1:user/x' }
    }
  },
  transit: async t => {
    const server = await transitServer(t)
    if (server === undefined) return undefined
    const proxy = await faultProxy(t, server.url)
    const names: Record<string, string> = {
      'transit-1': await server.makeKey(),
      'transit-2': await server.makeKey()
    }
    return {
      kind: 'transit',
      ids: ['transit-1', 'transit-2'],
      async open(ids, patience = IMPATIENT) {
        const keks = ids.map(id => ({ id, name: names[id] ?? '' }))
        const token = { file: server.tokenFile }
        const place = { url: proxy.url, mount: 'transit', namespace: undefined }
        return openTransitKeyring({ ...place, token, keks }, patience)
      },
      proxy,
      forbidden: { errors: ['permission denied'] }
    }
  }
}

/** Runs one test on every kind of key ring, each time with KEKs of its own. */
export function eachKeyring(
  title: string,
  story: (t: Test, keyring: KeyringUnderTest) => Promise<void>
): void {
  for (const [kind, make] of Object.entries(kinds)) {
    runOn(kind, title, make, story)
  }
}

/** The same for those that keep their keys in a service. */
export function eachKeyService(
  title: string,
  story: (t: Test, keyring: KeyringUnderTest & { proxy: FaultProxy }) => Promise<void>
): void {
  for (const [kind, make] of Object.entries(kinds)) {
    if (kind === 'file') continue
    runOn(kind, title, make, async (t, keyring) => {
      const { proxy } = keyring
      if (proxy !== undefined) await story(t, { ...keyring, proxy })
    })
  }
}

function runOn(
  kind: string,
  title: string,
  make: (t: Test) => Promise<KeyringUnderTest | undefined>,
  story: (t: Test, keyring: KeyringUnderTest) => Promise<void>
): void {
  tap.test(`${kind}: ${title}`, async t => {
    const keyring = await make(t)
    if (keyring !== undefined) await story(t, keyring)
  })
}

let startingKms: ReturnType<typeof startKmsServer> | undefined
let startingTransit: ReturnType<typeof startTransitServer> | undefined

/** The KMS of this test file, with its credentials in the environment. None where it cannot be had. */
export async function kmsServer(t: Test): Promise<KmsServer | undefined> {
  startingKms ??= forThisFile(startKmsServer())
  const server = present(t, await startingKms)
  if (server === undefined) return undefined
  // Shared files and the roles of a machine are the operator's own, and not for tests.
  const none = { AWS_PROFILE: '', AWS_CONFIG_FILE: '/dev/null', AWS_EC2_METADATA_DISABLED: 'true' }
  Object.assign(process.env, none, { AWS_SHARED_CREDENTIALS_FILE: '/dev/null' }, server.credentials)
  return server
}

/** The OpenBao of this test file. None where it cannot be had. */
export async function transitServer(t: Test): Promise<TransitServer | undefined> {
  startingTransit ??= forThisFile(startTransitServer())
  return present(t, await startingTransit)
}

async function forThisFile<Server extends { stop(): Promise<void> }>(
  starting: Promise<Server | { absent: string }>
): Promise<Server | { absent: string }> {
  const server = await starting
  if ('stop' in server) tap.teardown(() => server.stop())
  return server
}

/** Where services must be, one that is absent fails the test; elsewhere it says that it skips. */
function present<Server extends object>(
  t: Test,
  server: Server | { absent: string }
): Server | undefined {
  if (!('absent' in server)) return server
  if (process.env.CI_SERVICES === 'required') t.fail(server.absent)
  else t.pass(`skipped: ${server.absent}`, { skip: server.absent })
  return undefined
}
