import { Agent, type IncomingHttpHeaders, request } from 'node:http'
import { brotliDecompressSync, gunzipSync } from 'node:zlib'

/** What a browser that has never been here asks for, and how. */
const BROWSER = {
  accept: 'text/html,application/xhtml+xml,*/*;q=0.8',
  'accept-encoding': 'gzip, deflate, br',
  'sec-fetch-site': 'same-origin'
}

/** One page as somebody asks for it. */
export interface PageAsked {
  path: string
  /** Where the path says too little, or ids. */
  name?: string
  /** A page that is asked for with a form. */
  form?: Record<string, string>
  /** Whoever presses it is told that it takes a while: no page has to wait for it. */
  isWork?: true
}

/** What one request took, and what it brought. */
export interface Answer {
  status: number
  headers: IncomingHttpHeaders
  /** As they came, compressed or not. */
  body: Buffer
  /** Bytes that came, with the head of the answer. */
  bytes: number
  /** From the request to its last byte. */
  milliseconds: number
}

/** A browser of one person at one service: connections are kept, nothing else is. */
export interface Visitor {
  ask(page: Pick<PageAsked, 'path' | 'form'>): Promise<Answer>
  leave(): void
}

export function visitor(url: string, cookie: string): Visitor {
  const agent = new Agent({ keepAlive: true })
  return {
    ask: ({ path, form }) => {
      const body = form && new URLSearchParams(form).toString()
      const began = performance.now()
      return new Promise((resolve, reject) => {
        const asked = request(new URL(path, url), {
          agent,
          method: body === undefined ? 'GET' : 'POST',
          headers: {
            ...BROWSER,
            ...(cookie !== '' && { cookie }),
            ...(body !== undefined && {
              'content-type': 'application/x-www-form-urlencoded',
              'content-length': Buffer.byteLength(body)
            })
          }
        })
        asked.once('error', reject)
        asked.once('response', answer => {
          const parts: Buffer[] = []
          answer.on('data', part => void parts.push(part))
          answer.once('error', reject)
          answer.once('end', () => {
            const whole = Buffer.concat(parts)
            const head = answer.rawHeaders.reduce((sum, text) => sum + text.length + 2, 17)
            resolve({
              status: answer.statusCode ?? 0,
              headers: answer.headers,
              body: whole,
              bytes: whole.byteLength + head,
              milliseconds: performance.now() - began
            })
          })
        })
        asked.end(body)
      })
    },
    leave: () => agent.destroy()
  }
}

/** What a first view costs. */
export interface FirstView {
  requests: number
  bytes: number
  /** Of the page alone. */
  pageBytes: number
}

/**
 * The first view of a page with nothing in any cache: the page, its styles, scripts and pictures, and
 * the modules that those name. Throws when any of it is not there.
 */
export async function firstView(browser: Visitor, page: PageAsked): Promise<FirstView> {
  const first = await browser.ask(page)
  requireFound(page.path, first)
  const seen = new Set<string>()
  const view = { requests: 1, bytes: first.bytes, pageBytes: first.bytes }
  let wanted = namedInPage(plain(first), page.path)
  while (wanted.length > 0) {
    const next: string[] = []
    for (const path of wanted) {
      if (seen.has(path)) continue
      seen.add(path)
      const answer = await browser.ask({ path })
      requireFound(path, answer)
      view.requests += 1
      view.bytes += answer.bytes
      next.push(...namedInAsset(plain(answer), path, String(answer.headers['content-type'])))
    }
    wanted = next
  }
  return view
}

/** The text of an answer, whichever way it was packed. */
function plain({ headers, body }: Answer): string {
  const packed = headers['content-encoding']
  if (packed === 'br') return brotliDecompressSync(body).toString()
  return (packed === 'gzip' ? gunzipSync(body) : body).toString()
}

export function requireFound(name: string, { status, body }: Answer): void {
  if (status !== 200) throw new Error(`${name}: ${status} ${body.toString().slice(0, 400)}`)
}

const TAGS = /<(?:link|script|img|iframe|embed)\b[^>]*>/g
const NAMED = /\b(?:src|href)="([^"]+)"/
/** Of files; types in comments name packages. */
const IMPORTS = /\b(?:from|import)\s*\(?\s*['"]([./][^'"]+)['"]/g

function namedInPage(html: string, path: string): string[] {
  const tags = html.match(TAGS) ?? []
  return local(
    tags.flatMap(tag => NAMED.exec(tag)?.[1] ?? []),
    path
  )
}

/** Modules name modules. Pictures of the styles are asked for only where they are used: nowhere. */
function namedInAsset(text: string, path: string, type: string): string[] {
  if (!type.includes('javascript')) return []
  return local(
    [...text.matchAll(IMPORTS)].flatMap(([, name]) => name ?? []),
    path
  )
}

function local(names: string[], path: string): string[] {
  const base = new URL(path, 'http://here')
  return names
    .filter(name => !name.startsWith('data:') && !name.startsWith('#'))
    .map(name => new URL(name.replaceAll('&amp;', '&'), base))
    .filter(({ host }) => host === base.host)
    .map(({ pathname, search }) => pathname + search)
}
