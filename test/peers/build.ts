import { buildPeer, peers } from './go.ts'

// Builds what the tests and the bench run beside the service, so that no test waits for a compiler.
for (const name of peers) {
  const peer = buildPeer(name)
  if ('absent' in peer) console.log(peer.absent)
}
