import { createReadStream, createWriteStream, statSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'

// What the figures are compared with: a server as most are written, on node:http, that keeps files
// in clear and waits for no disk. A process of its own, started with the directory to write into.

/** The parser under @fastify/multipart, without what Fastify adds. */
interface FormParser extends NodeJS.WritableStream {
  on(
    event: 'file',
    listener: (name: string, file: NodeJS.ReadableStream & AsyncIterable<Buffer>) => void
  ): this
  on(event: string, listener: (...args: unknown[]) => void): this
}
const parserOf = createRequire(import.meta.resolve('@fastify/multipart'))(
  '@fastify/busboy'
) as new (options: {
  headers: IncomingMessage['headers']
}) => FormParser

const [directory = '.'] = process.argv.slice(2)
const latest = join(directory, 'latest.bin')

const server = createServer((request, response) => {
  const handle = { PUT: putFile, POST: postForm, GET: getFile }[request.method ?? '']
  handle?.(request, response).catch(err => response.destroy(err))
})
server.listen(0, '127.0.0.1', () => process.send?.(server.address()))
process.on('disconnect', () => process.exit())

/** The raw request piped into a write stream. */
async function putFile(request: IncomingMessage, response: ServerResponse): Promise<void> {
  await pipeline(request, createWriteStream(latest))
  answer(response)
}

/** Each file of a form piped into a write stream, the next one begun while the last is closed. */
async function postForm(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const parser = new parserOf({ headers: request.headers })
  const writing: Promise<void>[] = []
  parser.on('file', (_name, file) => {
    writing.push(pipeline(file, createWriteStream(join(directory, `file-${writing.length}.bin`))))
  })
  await pipeline(request, parser)
  await Promise.all(writing)
  answer(response)
}

/** A read stream piped into the response. */
async function getFile(_request: IncomingMessage, response: ServerResponse): Promise<void> {
  response.setHeader('content-length', statSync(latest).size)
  await pipeline(createReadStream(latest), response)
}

function answer(response: ServerResponse): void {
  response.setHeader('content-length', 2)
  response.end('{}')
}
