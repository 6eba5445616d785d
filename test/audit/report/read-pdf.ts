import { inflateSync } from 'node:zlib'

/** A PDF as this service makes them, taken apart far enough to read it. */
export interface ReadPdf {
  /** The lines of each page from the top, as they are printed, with a tab between label and value. */
  pages: string[][]
  /** All lines but those at the head and foot of pages. */
  lines: string[]
  /** Everything that is not compressed: the objects themselves. */
  structure: string
  /** The types of the elements of its structure tree, in the order of the document. */
  elements: string[]
}

interface PdfObject {
  dictionary: string
  stream?: string
}

export function readPdf(bytes: Buffer): ReadPdf {
  const objects = objectsOf(bytes)
  const structure = [...objects.values()].map(({ dictionary }) => dictionary).join('\n')
  const maps = fontMaps(objects, structure)
  const marked = pagesOf(objects).map(content => linesOf(content, maps))
  return {
    pages: marked.map(lines => lines.map(({ text }) => text)),
    lines: marked.flat().flatMap(({ text, isArtifact }) => (isArtifact ? [] : [text])),
    structure,
    elements: [...structure.matchAll(/\/S \/([A-Z][A-Za-z0-9]*)/g)].map(([, type = '']) => type)
  }
}

/** Object after object: what a stream holds may look like the end of it, so its length counts. */
function objectsOf(bytes: Buffer): Map<string, PdfObject> {
  const text = bytes.toString('latin1')
  const objects = new Map<string, PdfObject>()
  const begin = /(?<=\n)(\d+) 0 obj\n/g
  for (let found = begin.exec(text); found !== null; found = begin.exec(text)) {
    const [, id = ''] = found
    const start = begin.lastIndex
    const end = text.indexOf('\nendobj\n', start)
    const at = text.indexOf('\nstream\n', start)
    if (at === -1 || at > end) {
      objects.set(id, { dictionary: text.slice(start, end) })
      begin.lastIndex = end
      continue
    }
    const dictionary = text.slice(start, at)
    const from = at + '\nstream\n'.length
    const to = from + Number(/\/Length (\d+)/.exec(dictionary)?.[1])
    const raw = bytes.subarray(from, to)
    const isFlate = dictionary.includes('/FlateDecode')
    objects.set(id, { dictionary, stream: (isFlate ? inflateSync(raw) : raw).toString('latin1') })
    begin.lastIndex = to
  }
  return objects
}

/** Glyph to text, by the name that pages give a font. */
function fontMaps(objects: Map<string, PdfObject>, structure: string) {
  const maps = new Map<string, Map<string, string>>()
  for (const [, name = '', id = ''] of structure.matchAll(/\/(F\d+) (\d+) 0 R/g)) {
    const cmap = /\/ToUnicode (\d+) 0 R/.exec(objects.get(id)?.dictionary ?? '')?.[1]
    const map = new Map<string, string>()
    const text = objects.get(cmap ?? '')?.stream ?? ''
    for (const range of text.matchAll(/<(\w{4})> <\w{4}> \[([^\]]*)\]/g)) {
      const [, first = '', list = ''] = range
      for (const [at, [, hex = '']] of [...list.matchAll(/<([^>]*)>/g)].entries()) {
        const glyph = (Number.parseInt(first, 16) + at).toString(16).padStart(4, '0')
        const units = hex.split(' ').map(unit => Number.parseInt(unit, 16))
        map.set(glyph, String.fromCharCode(...units))
      }
    }
    maps.set(name, map)
  }
  return maps
}

function pagesOf(objects: Map<string, PdfObject>): string[] {
  const pages = [...objects.values()].filter(({ dictionary }) =>
    /\/Type \/Page\b(?!s)/.test(dictionary)
  )
  return pages.map(({ dictionary }) => {
    const id = /\/Contents (\d+) 0 R/.exec(dictionary)?.[1] ?? ''
    return objects.get(id)?.stream ?? ''
  })
}

interface Line {
  text: string
  isArtifact: boolean
}

const OPERATORS =
  /\/(Artifact)\b[^\n]*(?:\n[^\n]*?)*?BDC|(EMC)|1 0 0 1 (\S+) (\S+) Tm|\/(F\d+) \S+ Tf|\[([^\]]*)\] TJ/g

function linesOf(content: string, maps: Map<string, Map<string, string>>): Line[] {
  const lines: Line[] = []
  let isArtifact = false
  let font = ''
  let at = ''
  for (const found of content.matchAll(OPERATORS)) {
    const [, artifact, end, , y, face, glyphs] = found
    if (artifact !== undefined) isArtifact = true
    else if (end !== undefined) isArtifact = false
    else if (face !== undefined) font = face
    else if (y !== undefined) {
      if (y !== at) lines.push({ text: '', isArtifact })
      else append(lines, '\t')
      at = y
    } else append(lines, textOf(glyphs ?? '', maps.get(font)))
  }
  return lines
}

function append(lines: Line[], text: string): void {
  const last = lines.at(-1)
  if (last !== undefined) last.text += text
}

function textOf(shown: string, map: Map<string, string> | undefined): string {
  const glyphs = [...shown.matchAll(/<(\w*)>/g)].flatMap(
    ([, hex = '']) => hex.match(/\w{4}/g) ?? []
  )
  return glyphs.map(glyph => map?.get(glyph) ?? '\ufffd').join('')
}
