import { buildApp } from '../../src/app.ts'
import { readConfig } from '../../src/config.ts'
import { createLogger } from '../../src/log.ts'
import { prepareData } from '../../src/open-data.ts'

// A process of its own: starts on the data directory of its environment, does not listen, and stops.

const config = readConfig(process.env)
const { release } = await prepareData(config)
const app = await buildApp(config, createLogger('silent'))
await app.exchange.tree.settle()
await app.stop()
release()
