import asyncHooks from 'node:async_hooks'
import { syncBuiltinESMExports } from 'node:module'

// Loaded before every test, to spare what tap costs and these tests have no use for.

// Tap has Node read the source map of each of two thousand modules, which is a third of the time that a
// test file takes to start; our own files run as they are and have none.
process.setSourceMapsEnabled(false)

// Tap follows every promise of the service, to tell which test an error belongs to that nobody caught:
// a tenth of the time of all tests. Without it such an error ends the file, and that fails the run too.
Object.assign(asyncHooks, { createHook: () => ({ enable() {}, disable() {} }) })
syncBuiltinESMExports()
