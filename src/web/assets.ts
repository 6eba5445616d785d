import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { extname, join } from 'node:path'
import { gzipSync } from 'node:zlib'
import type { FastifyInstance } from 'fastify'
import { Refusal } from '../errors.ts'

/** Below it are files that are the same for everybody: they tell nothing about anybody. */
export const ASSETS = '/assets'

const OURS = join(import.meta.dirname, 'browser')
const require = createRequire(import.meta.url)

/** Files of libraries that browsers get as they are, by the names under which they get them. */
const LIBRARIES: Record<string, string> = {
  'nhsuk.js': 'nhsuk-frontend/dist/nhsuk/nhsuk-frontend.min.js',
  'webauthn.js': '@simplewebauthn/browser/dist/bundle/index.umd.min.js',
  'tus.js': 'tus-js-client/dist/tus.min.js'
}
const NHSUK_STYLE = 'nhsuk-frontend/dist/nhsuk/nhsuk-frontend.min.css'

const TYPES: Record<string, string> = {
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml'
}

interface Asset {
  type: string
  bytes: Buffer
  gzip: Buffer
}

/** What browsers need beside the pages: styles, modules, pictures. */
export interface Assets {
  /** The address of one, with the version of all in it: it may be kept for ever. */
  url(name: string): string
  routes(app: FastifyInstance): void
}

let known: { version: string; assets: Map<string, Asset> } | undefined

/** Read once for all services of a process, when the first page or asset is asked for. */
function readAssets() {
  if (known !== undefined) return known
  const files = new Map<string, Buffer>([['nhsuk.css', nhsukStyle()]])
  for (const [name, path] of Object.entries(LIBRARIES)) files.set(name, readPackageFile(path))
  for (const name of readdirSync(OURS)) files.set(name, readFileSync(join(OURS, name)))
  const digest = createHash('sha256')
  for (const [name, bytes] of [...files].sort()) digest.update(name).update(bytes)
  const version = digest.digest('hex').slice(0, 16)
  const assets = new Map(
    [...files].map(([name, bytes]) => {
      const type = TYPES[extname(name)] ?? 'application/octet-stream'
      return [name, { type, bytes, gzip: gzipSync(bytes, { level: 9 }) }]
    })
  )
  known = { version, assets }
  return known
}

/**
 * The NHS design system without the NHS's own typeface, which is licensed for its domains alone and
 * would be fetched from them: Arial takes its place.
 */
function nhsukStyle(): Buffer {
  const style = readPackageFile(NHSUK_STYLE).toString()
  const plain = style.replace(/@font-face\{[^}]*\}/g, '').replace(/Frutiger W01,\s*/g, '')
  return Buffer.from(plain.replace(/\/\*# sourceMappingURL=.*?\*\//g, ''))
}

export function openAssets(): Assets {
  return {
    url: name => {
      const { version, assets } = readAssets()
      if (!assets.has(name)) throw new Error(`There is no asset called ${name}.`)
      return `${ASSETS}/${version}/${name}`
    },
    routes(app) {
      app.get<{ Params: { version: string; name: string } }>(
        `${ASSETS}/:version/:name`,
        { schema: { hide: true } },
        async (request, reply) => {
          const { version, assets } = readAssets()
          const asset = assets.get(request.params.name)
          if (asset === undefined) throw new Refusal('route-not-found')
          // A page of an older release may ask: what it gets is not kept under its address.
          const isCurrent = request.params.version === version
          const zipped = /\bgzip\b/.test(String(request.headers['accept-encoding']))
          return reply
            .type(asset.type)
            .header('cache-control', isCurrent ? 'public, max-age=31536000, immutable' : 'no-cache')
            .header('vary', 'accept-encoding')
            .headers(zipped ? { 'content-encoding': 'gzip' } : {})
            .send(zipped ? asset.gzip : asset.bytes)
        }
      )
    }
  }
}

const readPackageFile = (path: string): Buffer => {
  const [scope = '', name = ''] = path.split('/')
  const root = scope.startsWith('@') ? `${scope}/${name}` : scope
  // Not every package lets its files be resolved; all have their own description where they lie.
  const home = require.resolve.paths(root)?.map(folder => join(folder, root)) ?? []
  for (const folder of home) {
    try {
      return readFileSync(join(folder, path.slice(root.length)))
    } catch (err) {
      if (!(err instanceof Error && 'code' in err && err.code === 'ENOENT')) throw err
    }
  }
  throw new Error(`The file ${path} of a package is not installed.`)
}
