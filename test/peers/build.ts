import { buildPeer, peers } from './go.ts'
import { installPeer, pythonPeers } from './python.ts'

// Gets what the tests and the bench run beside the service, so that no test waits for a compiler.
for (const peer of [...peers.map(buildPeer), ...pythonPeers.map(installPeer)]) {
  if ('absent' in peer) console.log(peer.absent)
}
