import type { FastifyInstance } from 'fastify'
import { open } from './area.ts'

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
 * Where invitations lead in a browser; that of shares is among the pages. The token is in the fragment,
 * which the browser keeps to itself, so mail scanners and previews that fetch this page, run it or post
 * to it change nothing.
 */
export function linkPages(app: FastifyInstance): void {
  app.route({
    method: ['GET', 'HEAD'],
    url: '/i',
    ...open,
    schema: { hide: true },
    handler: (request, reply) =>
      reply
        .type('text/html; charset=utf-8')
        .header('cache-control', 'no-store')
        .send(request.method === 'HEAD' ? undefined : INVITATION_PAGE)
  })
}
