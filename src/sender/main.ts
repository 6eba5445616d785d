import { text } from 'node:stream/consumers'
import { runConsilium } from './commands.ts'
import { Ending } from './ending.ts'

// The process of `consilium`. Proxies (HTTPS_PROXY, NO_PROXY) and further certificate authorities
// (NODE_EXTRA_CA_CERTS) are Node's own business: nothing of ours reads the environment.

const control = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => {
    control.abort(new Ending('stopped', 'Interrupted. The same command goes on where it stopped.'))
  })
}
const { stderr } = process
process.exitCode = await runConsilium(
  process.argv.slice(2),
  {
    out: line => void process.stdout.write(line),
    screen: {
      isTerminal: stderr.isTTY === true,
      columns: stderr.columns ?? 80,
      write: line => void stderr.write(line)
    },
    readInput: () => text(process.stdin)
  },
  control
)
