import type { FastifyInstance } from 'fastify'
import { open } from './area.ts'

const SHARE_PAGE = `<!doctype html>
<html lang="en-GB">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>You were sent a case - Consilium</title>
</head>
<body>
<main>
<h1>You were sent a case for a second opinion</h1>
<p>This link names the case. Only the specialist it was made for can open it, and looking at this
page does not open it or use it up.</p>
<p>Give the whole link to the system of your hospital that is enrolled here: it sends the link to
<code>/v1/links/open</code>. The description of the interface is at <a href="/docs">/docs</a>.</p>
<p>If you have no such system, ask the clinician who sent you the link.</p>
</main>
</body>
</html>
`

/**
 * Where links to shares lead in a browser. The token is in the fragment, which the browser keeps to itself,
 * so mail scanners and previews that fetch this page, run it or post to it change nothing.
 */
export function linkPages(app: FastifyInstance): void {
  app.route({
    method: ['GET', 'HEAD'],
    url: '/s',
    ...open,
    schema: { hide: true },
    handler: (request, reply) =>
      reply
        .type('text/html; charset=utf-8')
        .header('cache-control', 'no-store')
        .send(request.method === 'HEAD' ? undefined : SHARE_PAGE)
  })
}
