// Runs a script of this project under Node 24, after installing what is missing. Plain JavaScript
// and no import beyond Node's own, because it must start on a fresh clone and on Node 20.
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const NODE_MAJOR_MIN = 24
const root = fileURLToPath(new URL('..', import.meta.url))
const bin = join(root, 'node_modules', '.bin')

/** True when node_modules holds just what the lockfile names. */
function installed() {
  try {
    const wanted = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages
    const have = JSON.parse(
      readFileSync(join(root, 'node_modules/.package-lock.json'), 'utf8')
    ).packages
    return Object.entries(wanted).every(
      ([path, entry]) => path === '' || entry.optional || have[path]?.version === entry.version
    )
  } catch {
    return false
  }
}

/**
 * npm with these arguments; what it prints is no part of what the script prints.
 * @param {...string} args
 */
function npm(...args) {
  const { status } = spawnSync('npm', args, {
    cwd: root,
    stdio: ['ignore', 2, 2],
    shell: process.platform === 'win32'
  })
  if (status === 0) return
  console.error(
    `npm ${args[0]} did not succeed. Check the network or the proxy settings of npm, then try again.`
  )
  process.exit(1)
}

const own = Number(process.versions.node.split('.')[0]) >= NODE_MAJOR_MIN
if (existsSync(join(root, 'package-lock.json')) && !process.env.CONSILIUM_INSTALLED) {
  if (!installed()) {
    console.error('Installing what is missing (once, about a minute) …')
    npm('ci', '--no-audit', '--no-fund', '--loglevel=error')
  }
  // The one package whose own script is run (.npmrc): it fetches the Node of this machine's kind.
  if (!own && !existsSync(join(root, 'node_modules/node/bin'))) {
    npm('rebuild', 'node', '--ignore-scripts=false', '--loglevel=error')
  }
}

const node = own ? process.execPath : join(bin, 'node')
const [script = '', ...args] = process.argv.slice(2)
const child = spawn(node, [join(root, script), ...args], {
  stdio: 'inherit',
  env: {
    ...process.env,
    PATH: bin + delimiter + process.env.PATH,
    // What Node has made of our files, kept for the next start: it takes two thirds of the time.
    NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE ?? join(root, 'node_modules/.cache/node'),
    // glibc gives freed blocks back to the system and faults them in again page by page; keeping
    // them doubles the rate of large downloads (docs/operating.md).
    MALLOC_TRIM_THRESHOLD_: process.env.MALLOC_TRIM_THRESHOLD_ ?? '1073741824',
    MALLOC_MMAP_THRESHOLD_: process.env.MALLOC_MMAP_THRESHOLD_ ?? '268435456'
  }
})
// The terminal sends Ctrl-C to both; the child decides when it has finished.
process.on('SIGINT', () => {})
process.on('SIGTERM', () => child.kill('SIGTERM'))
process.on('SIGHUP', () => child.kill('SIGTERM'))
child.on('exit', (code, signal) => process.exit(signal ? 1 : code))
