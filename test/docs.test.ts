import { existsSync, readFileSync } from 'node:fs'
import t from 'tap'
import { webhookKinds } from '../schemas/webhook.ts'
import { publicFace, refusalCodes } from '../src/errors.ts'
import { tableLines } from './faults/fault-table.ts'

const read = (path: string) => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8')

t.test('the API page lists every code with its status and title', async t => {
  const page = read('docs/api.md')
  for (const code of refusalCodes) {
    const { status, title } = publicFace(code)
    t.ok(page.includes(`| ${status} | \`${code}\` | ${title} |`), code)
  }
})

t.test('the operating page lists every setting that the code reads', async t => {
  const sources = ['', '-limits', '-s3', '-scan', '-keyring', '-notices', '-sharing', '-sign-in']
    .map(part => read(`src/config${part}.ts`))
    .join('')
  const names = sources.match(/CONSILIUM_[A-Z0-9_]+/g) ?? []
  const settings = new Set(names.filter(name => !name.endsWith('_')))
  t.ok(settings.has('CONSILIUM_S3_BUCKET'))
  const page = read('docs/operating.md')
  for (const name of settings) t.ok(page.includes(`\`${name}\``), name)
})

t.test('the operating page has the answers that the fault tests hold', async t => {
  const page = read('docs/operating.md')
  for (const line of tableLines()) t.ok(page.includes(`\n${line}\n`), line)
})

t.test('the page on webhooks names every kind that they can be told of', async t => {
  const page = read('docs/webhooks.md')
  for (const kind of webhookKinds) t.ok(page.includes(`\`${kind}\``), kind)
})

t.test('every file that the README names exists', async t => {
  const names = read('README.md').matchAll(/`([a-z]+\/[a-z-]+(?:\/[a-z-]+)*\.ts)`/g)
  for (const [, name = ''] of names) {
    t.doesNotThrow(() => read(name.startsWith('src/') ? name : `src/${name}`), name)
  }
})

t.test('every test that the threat model names exists', async t => {
  for (const [, name = ''] of read('docs/threat-model.md').matchAll(/`([a-z]+(?:\/[a-z-]+)?)`/g)) {
    if (!existsSync(new URL(`${name.split('/')[0]}`, import.meta.url)) && name !== 'secrets')
      continue
    const found = existsSync(new URL(`${name}.test.ts`, import.meta.url))
    t.ok(found || existsSync(new URL(name, import.meta.url)), name)
  }
})
