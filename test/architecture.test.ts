import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import t from 'tap'

// The import rules of the design, read off the text of every file of ours.

const ROOT = join(import.meta.dirname, '..')
const FILE_LINES_MAX = 300
const FUNCTION_LINES_MAX = 80

interface Import {
  /** Path from the root for files of ours, else the name of the package. */
  target: string
  typeOnly: boolean
  /** It is loaded where it is needed, not with the file. */
  isLater: boolean
  /** What is imported, as it is written. */
  names: string
}

/** `import … from`, `export … from`, `import '…'` and `import('…')`, but for types. */
const IMPORT =
  /^(?:import|export)\s+(type\s+)?([^;'"]*?\s+from\s+)?['"]([^'"]+)['"]|(?<!typeof )\bimport\(\s*['"]([^'"]+)['"]/gm

function filesBelow(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile() && /\.(ts|mjs|js)$/.test(entry.name))
    .map(entry => relative(ROOT, join(entry.parentPath, entry.name)))
    .sort()
}

function importsOf(file: string): Import[] {
  return [...textOf(file).matchAll(IMPORT)].map(found => {
    const [, type, names = '', statically, dynamically] = found
    const name = statically ?? dynamically ?? ''
    const target = name.startsWith('.') ? join(dirname(file), name) : name
    // `import { type A, type B } from` is erased to nothing that runs, as `import type` is.
    const members = /\{([^}]*)\}/
      .exec(names)?.[1]
      ?.split(',')
      .filter(part => part.trim() !== '')
    const allTypes = members?.every(part => part.trim().startsWith('type ')) ?? false
    const typeOnly = type !== undefined || (allTypes && !/^\w/.test(names))
    return { target, names, typeOnly, isLater: dynamically !== undefined }
  })
}

const texts = new Map<string, string>()
function textOf(file: string): string {
  const text = texts.get(file) ?? readFileSync(join(ROOT, file), 'utf8')
  texts.set(file, text)
  return text
}

const sources = filesBelow('src')
const schemas = filesBelow('schemas')
const scripts = filesBelow('scripts')
const ours = [...sources, ...schemas, ...scripts]
/** Browsers find the design system's own module beside ours. */
const BESIDE = 'src/web/browser/nhsuk.js'
const isOurs = (target: string) => /^(src|schemas|scripts|test)\//.test(target) && target !== BESIDE

/** A file and all of ours that are loaded before it runs. */
function atStart(first: string): string[] {
  const files = new Set([first])
  for (const file of files) {
    const imports = importsOf(file).filter(({ typeOnly, isLater }) => !typeOnly && !isLater)
    for (const { target } of imports)
      if (isOurs(target) && target.endsWith('.ts')) files.add(target)
  }
  return [...files]
}

/** Every import in these files that breaks the rule, as "file → target". */
function breaches(files: string[], isBreach: (found: Import, file: string) => boolean): string[] {
  const found = files.flatMap(file =>
    importsOf(file)
      .filter(found => isBreach(found, file))
      .map(found => `${file} → ${found.target}`)
  )
  return found.sort()
}

t.test('this test sees imports', async t => {
  t.ok(sources.length > 60, 'the files of src are found')
  const app = importsOf('src/app.ts')
  t.ok(app.some(({ target, typeOnly }) => target === 'src/blobs/blobs.ts' && typeOnly))
  t.ok(app.some(({ target, typeOnly }) => target === 'src/http/area.ts' && !typeOnly))
  t.ok(app.some(({ target }) => target === 'fastify'))
  for (const file of ours) {
    for (const { target } of importsOf(file).filter(found => isOurs(found.target))) {
      t.doesNotThrow(() => textOf(target), `${file} imports a file that is there: ${target}`)
    }
  }
})

t.test('schemas import nothing of ours', async t => {
  const found = breaches(schemas, ({ target }) => isOurs(target) && !target.startsWith('schemas/'))
  t.same(found, [])
})

t.test(
  'sealing imports only Node, threads and itself, but for the client of one key service',
  async t => {
    const files = sources.filter(file => file.startsWith('src/sealing/'))
    const allowed = /^(node:|src\/sealing\/|src\/thread\.ts$)/
    t.same(
      breaches(files, ({ target }) => !allowed.test(target)),
      ['src/sealing/keyrings/kms.ts → @aws-sdk/client-kms']
    )
  }
)

t.test('only the composition root knows what kinds of key ring there are', async t => {
  const kinds = /^src\/sealing\/keyrings\/(kms|transit|joined)\.ts$/
  const found = breaches(ours, ({ target, typeOnly }) => kinds.test(target) && !typeOnly)
  t.same(
    found,
    ['joined', 'kms', 'transit'].map(
      kind => `src/open-keyring.ts → src/sealing/keyrings/${kind}.ts`
    )
  )
})

t.test('routes speak HTTP and never SQL', async t => {
  const files = sources.filter(file => file.endsWith('routes.ts'))
  t.ok(files.length > 4)
  t.same(
    breaches(files, ({ target }) => /drizzle|queries\.ts$|^src\/database\//.test(target)),
    []
  )
})

t.test(
  'a start does not wait for what many installations or most minutes have no use for',
  async t => {
    const later =
      /^(@aws-sdk\/|@simplewebauthn\/server|@tus\/server|age-encryption|fontkit|nodemailer|pdfkit|qrcode)/
    const found = breaches(
      atStart('src/main.ts'),
      ({ target, typeOnly, isLater }) => later.test(target) && !typeOnly && !isLater
    )
    t.same(found, [])
  }
)

t.test('nobody loads the build of Drizzle that costs every start half a second', async t => {
  const isDrizzle = ({ target, typeOnly }: Import) => /^drizzle-orm/.test(target) && !typeOnly
  t.same(breaches([...ours, ...filesBelow('test')], isDrizzle), [])
})

t.test('only the database folder imports a driver', async t => {
  const drivers = /^(better-sqlite3|pg|postgres)$/
  const files = ours.filter(file => !file.startsWith('src/database/'))
  t.same(
    breaches(files, ({ target, names }) => drivers.test(target) || /requireDrizzle/.test(names)),
    []
  )
})

t.test('only main and the scripts read the environment', async t => {
  const readers = [...sources, ...schemas].filter(file => /process\s*\.\s*env/.test(textOf(file)))
  // SQLite is told by the environment alone where its temporary files go.
  t.same(readers, ['src/database/sqlite.ts', 'src/main.ts'])
  t.same(
    breaches(sources, ({ target, names }) => target === 'node:process' && /env/.test(names)),
    []
  )
})

t.test('nobody imports the queries of a sibling module', async t => {
  const isSiblings = ({ target }: Import, file: string) =>
    target.endsWith('/queries.ts') && dirname(target) !== dirname(file)
  t.same(breaches(ours, isSiblings), [])
})

t.test('only the audit module can make the receipt that opens a blob', async t => {
  const makers = ours.filter(file => /\bissueReceipt\b/.test(textOf(file)))
  t.same(
    makers,
    ['disclosures', 'inspections', 'receipt', 'sealed-copies'].map(name => `src/audit/${name}.ts`)
  )
})

t.test('only the composition root knows what kind of blob store there is', async t => {
  const files = ours.filter(file => !file.startsWith('src/blobs/'))
  const found = breaches(files, ({ target }) => /^src\/blobs\/(?!blobs\.ts$)/.test(target))
  t.same(
    found.filter(line => !line.startsWith('scripts/')),
    ['disk', 's3-check', 's3'].map(kind => `src/open-data.ts → src/blobs/${kind}.ts`)
  )
})

t.test('the service never imports a script or a test', async t => {
  const inner = [...sources, ...schemas]
  t.same(
    breaches(inner, ({ target }) => /^(scripts|test)\//.test(target)),
    []
  )
})

t.test('the sender is no part of the service, and brings none of it along', async t => {
  const pure =
    /^(node:|schemas\/|src\/sender\/|src\/records\/inspect\/(dicom-(head|summary)|source)\.ts$|src\/sealing\/private-file\.ts$|src\/identity\/age-(encrypter|recipient)\.ts$)/
  const packages = /^(age-encryption|commander|jose|tus-js-client|typebox(\/value)?|uuid)$/
  const files = sources.filter(file => file.startsWith('src/sender/'))
  t.ok(files.length > 20)
  t.same(
    breaches(files, ({ target }) => !pure.test(target) && !packages.test(target)),
    []
  )
  const others = sources.filter(file => !file.startsWith('src/sender/'))
  t.same(
    breaches(others, ({ target }) => target.startsWith('src/sender/')),
    []
  )
})

t.test('imports go in no circle', async t => {
  // Imports of types alone are erased before anything runs, so they cannot make a circle.
  const edges = new Map(
    ours.map(file => [
      file,
      importsOf(file)
        .filter(({ target, typeOnly }) => isOurs(target) && !typeOnly)
        .map(({ target }) => target)
    ])
  )
  const done = new Set<string>()
  const circles: string[] = []
  const walk = (file: string, path: string[]): void => {
    if (path.includes(file)) circles.push([...path.slice(path.indexOf(file)), file].join(' → '))
    if (done.has(file) || path.includes(file)) return
    for (const target of edges.get(file) ?? []) walk(target, [...path, file])
    done.add(file)
  }
  for (const file of ours) walk(file, [])
  t.same(circles, [])
})

t.test('no folder is a place for leftovers', async t => {
  const found = [...sources, ...schemas].filter(file =>
    /(^|\/)(utils?|helpers?|misc|shared|lib)(\/|\.ts$)/.test(file)
  )
  t.same(found, [])
})

/** These only declare, in a row, what there is: cutting them up would hide it. */
const declarations = [
  'schemas/tables.ts: define',
  'schemas/register-tables.ts: registerTables',
  'src/records/routes.ts: recordRoutes',
  'scripts/demo.ts: exchange'
]

t.test('files and functions stay short', async t => {
  const tooLong: string[] = []
  for (const file of ours) {
    const lines = textOf(file).trimEnd().split('\n')
    if (lines.length > FILE_LINES_MAX) tooLong.push(`${file}: ${lines.length} lines`)
    for (const { name, length } of functionsOf(lines)) {
      const place = `${file}: ${name}`
      if (length > FUNCTION_LINES_MAX && !declarations.includes(place)) tooLong.push(place)
    }
  }
  t.same(tooLong, [])
})

/** Functions at the left margin, by the formatter's layout: they end at the next line with "}". */
function functionsOf(lines: string[]): { name: string; length: number }[] {
  return lines.flatMap((line, start) => {
    const name = /^(?:export )?(?:async )?function\*? (\w+)/.exec(line)?.[1]
    if (name === undefined) return []
    const end = lines.findIndex(
      (other, at) => at > start && other.startsWith('}') && !other.startsWith('}:')
    )
    return [{ name, length: end - start + 1 }]
  })
}

t.test('every package that is imported is declared', async t => {
  const { dependencies, devDependencies } = JSON.parse(
    readFileSync(join(ROOT, 'package.json'), 'utf8')
  )
  const packageOf = (target: string) =>
    target.startsWith('@') ? target.split('/').slice(0, 2).join('/') : target.split('/')[0]
  const undeclared = breaches([...sources, ...schemas], ({ target, typeOnly }) => {
    if (isOurs(target) || target === BESIDE || target.startsWith('node:')) return false
    // What is erased before anything runs need not be there when it runs.
    const declared = typeOnly ? { ...devDependencies, ...dependencies } : dependencies
    return !Object.hasOwn(declared, String(packageOf(target)))
  })
  t.same(undeclared, [])
})

t.test('nothing runs when a package is installed, but what fetches Node', async t => {
  const { packages } = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { hasInstallScript?: boolean }>
  }
  const withScripts = Object.keys(packages).filter(path => packages[path]?.hasInstallScript)
  t.same(withScripts, ['node_modules/node'], 'scripts/run.mjs and .ci/run name the others too')
  t.match(readFileSync(join(ROOT, '.npmrc'), 'utf8'), /^ignore-scripts=true$/m)
})
