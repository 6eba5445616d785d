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

const INVITATION_PAGE = `<!doctype html>
<html lang="en-GB">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>You were invited - Consilium</title>
</head>
<body>
<main>
<h1>You were invited to give second opinions</h1>
<p>This link names the invitation. It does nothing without the enrolment code that the clinician gives
you by another way, and looking at this page does not use it up.</p>
<p>Give the whole link, the code and the public key of your system, or a token of your sign-in, to
<code>/v1/invitations/accept</code>. The description of the interface is at
<a href="/docs">/docs</a>.</p>
<p>Nobody of this service ever asks for the code by e-mail.</p>
</main>
</body>
</html>
`

/**
 * Where links lead in a browser. The token is in the fragment, which the browser keeps to itself,
 * so mail scanners and previews that fetch these pages, run them or post to them change nothing.
 */
export function linkPages(app: FastifyInstance): void {
  for (const [url, page] of [
    ['/s', SHARE_PAGE],
    ['/i', INVITATION_PAGE]
  ] as const) {
    app.route({
      method: ['GET', 'HEAD'],
      url,
      ...open,
      schema: { hide: true },
      handler: (request, reply) =>
        reply
          .type('text/html; charset=utf-8')
          .header('cache-control', 'no-store')
          .send(request.method === 'HEAD' ? undefined : page)
    })
  }
}
