import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import type { Test } from 'tap'

/** A line to a server that can be slow, or cut. */
export interface Wire {
  port: number
  /** Everything takes so many milliseconds longer, in each direction. */
  slow(milliseconds: number): void
  /** Breaks every connection, and lets no new one through. */
  cut(): void
  /** As if nothing had been. */
  heal(): void
}

/** Stands between a client and a server that speak any protocol over TCP. */
export async function wireTo(t: Test, host: string, port: number): Promise<Wire> {
  const sockets = new Set<Socket>()
  let [delay, isCut] = [0, false]

  function pass(from: Socket, to: Socket): void {
    sockets.add(from)
    // Pieces keep their order: those with the same delay come one after the other.
    from.on('data', piece => {
      if (delay === 0) to.write(piece)
      else setTimeout(() => to.writable && to.write(piece), delay)
    })
    from.on('error', () => {})
    from.on('close', () => {
      sockets.delete(from)
      to.destroy()
    })
  }
  const server = createServer(inner => {
    if (isCut) return void inner.destroy()
    const outer = connect({ host, port })
    pass(inner, outer)
    pass(outer, inner)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const breakAll = () => {
    for (const socket of sockets) socket.destroy()
  }
  t.teardown(() => {
    server.close()
    breakAll()
  })
  return {
    port: (server.address() as AddressInfo).port,
    slow(milliseconds) {
      delay = milliseconds
    },
    cut() {
      isCut = true
      breakAll()
    },
    heal() {
      ;[delay, isCut] = [0, false]
    }
  }
}
