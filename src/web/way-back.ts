import type { FastifyInstance } from 'fastify'

/**
 * Finds the page to come back to. A form that is shown again stands at the address it was sent to, where
 * nobody can be led: then it is the nearest page above it, and undefined when there is none.
 */
export function waysBack(app: FastifyInstance): (path: string) => string | undefined {
  const routes: string[][] = []
  app.addHook('onRoute', ({ method, url }) => {
    if ([method].flat().includes('GET')) routes.push(url.split('/'))
  })
  return path => {
    const [address = ''] = path.split('?')
    for (let at = address; at !== ''; at = at.slice(0, at.lastIndexOf('/'))) {
      if (routes.some(route => answers(route, at.split('/')))) return at === address ? path : at
    }
    return undefined
  }
}

/** Whether a route is that of an address: a name behind a colon stands for any part, a star for the rest. */
function answers(route: string[], parts: string[]): boolean {
  if (route.at(-1) !== '*' && route.length !== parts.length) return false
  return route.every((name, n) => {
    const part = parts[n]
    return name === '*' || name === part || (name.startsWith(':') && part !== undefined)
  })
}
