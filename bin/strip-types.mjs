// Lets the TypeScript of this package run where it is installed below node_modules, which Node leaves
// to packages themselves. Of other packages nothing is touched.
import { readFileSync } from 'node:fs'
import { registerHooks, stripTypeScriptTypes } from 'node:module'
import { fileURLToPath } from 'node:url'

const root = new URL('..', import.meta.url).href

if (root.includes('/node_modules/')) {
  registerHooks({
    load(url, context, nextLoad) {
      const isOurs = url.startsWith(root) && !url.slice(root.length).includes('node_modules/')
      if (!isOurs || !url.endsWith('.ts')) return nextLoad(url, context)
      const source = stripTypeScriptTypes(readFileSync(fileURLToPath(url), 'utf8'))
      return { format: 'module', source, shortCircuit: true }
    }
  })
}
