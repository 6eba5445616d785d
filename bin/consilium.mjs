#!/usr/bin/env node
// Starts `consilium send` and `consilium fetch` under Node 24. Plain JavaScript and no import beyond
// Node's own, because it must start on an older Node and say what is missing.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const NODE_MAJOR_MIN = 24
const root = fileURLToPath(new URL('..', import.meta.url))
const own = Number(process.versions.node.split('.')[0]) >= NODE_MAJOR_MIN
const beside = join(root, 'node_modules', '.bin', process.platform === 'win32' ? 'node.cmd' : 'node')
const node = own ? process.execPath : existsSync(beside) ? beside : undefined
if (node === undefined) {
  console.error(`consilium needs Node ${NODE_MAJOR_MIN} or later; this is ${process.version}.`)
  process.exit(2)
}

// Node strips types of its own accord only outside of node_modules, where npx puts us.
const hooks = new URL('strip-types.mjs', import.meta.url).href
const child = spawn(
  node,
  [
    '--disable-warning=ExperimentalWarning',
    `--import=${hooks}`,
    join(root, 'src', 'sender', 'main.ts'),
    ...process.argv.slice(2)
  ],
  {
    stdio: 'inherit',
    // Node reads HTTPS_PROXY, HTTP_PROXY and NO_PROXY when it is told to.
    env: { ...process.env, NODE_USE_ENV_PROXY: process.env.NODE_USE_ENV_PROXY ?? '1' }
  }
)
// The terminal sends Ctrl-C to both; the child decides when it has finished.
process.on('SIGINT', () => {})
process.on('SIGTERM', () => child.kill('SIGTERM'))
process.on('SIGHUP', () => child.kill('SIGTERM'))
child.on('exit', (code, signal) => process.exit(signal ? 3 : (code ?? 3)))
