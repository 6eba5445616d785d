import { type Fonts, fonts, printable } from './fonts.ts'

// Points, of which an inch has 72. A4 is 595 by 842.
const PAGE_POINTS = { width: 595.28, height: 841.89 }
const MARGIN_POINTS = { left: 50, right: 50, top: 44, bottom: 46 }
const LABEL_POINTS = 82
const CONTENT_POINTS = PAGE_POINTS.width - MARGIN_POINTS.left - MARGIN_POINTS.right
const HEAD_POINTS = 24
const FOOT_POINTS = PAGE_POINTS.height - 34

const sizes = { 1: 17, 2: 12, 3: 9.5, text: 8.8, small: 7.2, fixed: 6.3, edge: 7.5 } as const
const space = { 1: 4, 2: 9, 3: 5 } as const
const LINE_GAP_POINTS = 1.5
const GAP_POINTS = 6
const LAST_POINTS = 14
/** About a quarter of a page. */
const PROSE_CHARACTERS_MAX = 1500
const VERBATIM_LINES_TOGETHER_MAX = 40
const oneLine = { lineBreak: false }
const colours = { text: '#111111', label: '#4a4a4a', rule: '#767676' } as const

/** A document under way: text goes below what is there, and on to the next page where it must. */
export interface Sheet {
  /** A heading. It stays on a page with at least `follows` points of what comes after it. */
  heading(level: 1 | 2 | 3, text: string, follows?: number): void
  paragraph(text: string): void
  /** What somebody wrote, whole and in its paragraphs, however long. */
  prose(text: string): void
  /** Room between what is above and what follows. */
  gap(): void
  /** A fact: what it is, and it. Nothing in the value can look like another fact. */
  fact(label: string, value: string, size?: 'text' | 'small'): void
  /** Text to be copied: every line as it is, cut where the paper ends. */
  verbatim(text: string): void
  /** The last line, which may say how many pages there are. */
  last(text: (pages: number) => string): void
  /** Bytes that are ready. After `end` all that is left. */
  take(): Buffer[]
  end(): void
}

export interface SheetOptions {
  title: string
  author: string
  createdAt: Date
  /** At the head of every page but the first. */
  running: string
  /** At the foot of every page, with its number. */
  footer: string
}

/**
 * An A4 document, tagged so that a screen reader can follow it (PDF/UA-1, ISO 14289-1), with its
 * fonts inside, without scripts and without links. A page is ready as soon as the next one begins.
 */
export async function openSheet(options: SheetOptions): Promise<Sheet> {
  const faces = await fonts()
  const doc = await openDocument(options, faces)
  const paper = openPaper(doc, faces, options)
  const { use, measured, room, element, down } = paper
  const { left } = MARGIN_POINTS

  const sheet: Sheet = {
    heading(level, text, follows = 60) {
      use('bold', level, colours.text)
      const { height, draw } = measured(printable(text, faces.bold), CONTENT_POINTS)
      room(space[level] + height + follows)
      if (!paper.atTop()) down(space[level])
      element(`H${level}`, () => {
        use('bold', level, colours.text)
        draw(left)
      })
      down(height + 2)
    },
    paragraph(text) {
      use('regular', 'text', colours.text)
      const { height, draw } = measured(printable(text, faces.regular), CONTENT_POINTS)
      room(height)
      element('P', () => {
        use('regular', 'text', colours.text)
        draw(left)
      })
      down(height + 4)
    },
    prose(text) {
      for (const piece of piecesOf(text)) {
        use('regular', 'text', colours.text)
        const shown = printable(piece, faces.regular, Number.POSITIVE_INFINITY)
        const { height, draw } = measured(shown, CONTENT_POINTS)
        room(height)
        element('P', () => {
          use('regular', 'text', colours.text)
          draw(left)
        })
        down(height + 4)
      }
    },
    fact(label, value, size = 'text') {
      use('regular', size, colours.text)
      const shown = printable(value, faces.regular)
      const { height, draw } = measured(shown, CONTENT_POINTS - LABEL_POINTS)
      room(height)
      element('P', () => {
        use('regular', size, colours.label)
        measured(`${label}: `, LABEL_POINTS).draw(left)
        use('regular', size, size === 'text' ? colours.text : colours.label)
        draw(left + LABEL_POINTS)
      })
      down(height)
    },
    verbatim: text => writeVerbatim(paper, text),
    gap: () => down(GAP_POINTS),
    last(text) {
      room(LAST_POINTS)
      sheet.paragraph(text(paper.pages()))
    },
    take: () => readyBytes(doc),
    end() {
      paper.end()
      doc.end()
    }
  }
  return sheet
}

/** Paragraphs, the longest cut between words so that each piece has room on a page. */
function piecesOf(text: string): string[] {
  const pieces: string[] = []
  for (const paragraph of text.split(/\n+/)) {
    let left = paragraph.trim()
    while (left.length > PROSE_CHARACTERS_MAX) {
      const blank = left.lastIndexOf(' ', PROSE_CHARACTERS_MAX)
      const at = blank > 0 ? blank : wholeCharacters(left, PROSE_CHARACTERS_MAX)
      pieces.push(left.slice(0, at))
      left = left.slice(at).trimStart()
    }
    if (left !== '') pieces.push(left)
  }
  return pieces
}

/** A place to cut at or just before `at` that leaves no half of a surrogate pair. */
function wholeCharacters(text: string, at: number): number {
  return text.slice(0, at).isWellFormed() ? at : at - 1
}

function writeVerbatim({ use, measured, room, element, down }: Paper, text: string): void {
  use('fixed', 'fixed', colours.text)
  const { width, height } = measured('0', CONTENT_POINTS)
  const lines = text.trimEnd().split('\n')
  const parts = lines.flatMap(line => cutTo(line, Math.floor(CONTENT_POINTS / width)))
  // On one page if one can hold it.
  if (parts.length < VERBATIM_LINES_TOGETHER_MAX) room(height * parts.length)
  for (const part of parts) {
    room(height)
    use('fixed', 'fixed', colours.text)
    const { draw } = measured(part, CONTENT_POINTS)
    if (part !== '') element('P', () => draw(MARGIN_POINTS.left))
    down(height)
  }
  down(4)
}

function readyBytes(doc: PDFKit.PDFDocument): Buffer[] {
  const ready: Buffer[] = []
  for (let piece = doc.read(); piece !== null; piece = doc.read()) ready.push(piece)
  return ready
}

function cutTo(line: string, characters: number): string[] {
  const parts = [line.slice(0, characters)]
  for (let at = characters; at < line.length; at += characters) {
    parts.push(line.slice(at, at + characters))
  }
  return parts
}

type Paper = ReturnType<typeof openPaper>

/** Where on which page the next text goes, and the tree of what there is for screen readers. */
function openPaper(doc: PDFKit.PDFDocument, faces: Fonts, { running, footer }: SheetOptions) {
  const root = doc.struct('Document')
  doc.addStructure(root)
  let pages = 0
  let y = 0

  function use(face: keyof Fonts, size: keyof typeof sizes, colour: string): void {
    doc.font(face).fontSize(sizes[size]).fillColor(colour)
  }

  function nextPage(): void {
    doc.addPage()
    pages += 1
    y = MARGIN_POINTS.top
    doc.markContent('Artifact', { type: 'Pagination' })
    use('regular', 'edge', colours.label)
    const { left, right } = MARGIN_POINTS
    const number = `Page ${pages}`
    const numberAt = PAGE_POINTS.width - right - doc.widthOfString(number)
    if (pages > 1) doc.text(printable(running, faces.regular), left, HEAD_POINTS, oneLine)
    doc.text(footer, left, FOOT_POINTS, oneLine)
    doc.text(number, numberAt, FOOT_POINTS, oneLine)
    doc.endMarkedContent()
  }

  nextPage()
  return {
    use,
    /** How high text is, and a way to draw it. Most fits on one line, which is soon known. */
    measured(text: string, width: number) {
      const textWidth = doc.widthOfString(text)
      const isLine = textWidth <= width
      const options = isLine ? oneLine : { width, lineGap: LINE_GAP_POINTS }
      const height = isLine
        ? doc.currentLineHeight(true) + LINE_GAP_POINTS
        : doc.heightOfString(text, options)
      return { width: textWidth, height, draw: (x: number) => void doc.text(text, x, y, options) }
    },
    /** Turns the page unless this much still fits on it. */
    room(height: number): void {
      if (y + height > PAGE_POINTS.height - MARGIN_POINTS.bottom) nextPage()
    },
    element(type: string, draw: () => void): void {
      const made = doc.struct(type, {}, draw)
      root.add(made)
      made.end()
    },
    down(height: number): void {
      y += height
    },
    atTop: () => y === MARGIN_POINTS.top,
    pages: () => pages,
    end: () => root.end()
  }
}

async function openDocument(
  { title, author, createdAt }: SheetOptions,
  faces: Fonts
): Promise<PDFKit.PDFDocument> {
  const { default: PDFDocument } = await import('pdfkit')
  const doc = new PDFDocument({
    size: 'A4',
    margins: MARGIN_POINTS,
    autoFirstPage: false,
    pdfVersion: '1.7',
    // Its types do not know it yet.
    subset: 'PDF/UA' as 'PDF/A-1a',
    tagged: true,
    lang: 'en-GB',
    displayTitle: true,
    info: {
      Title: title,
      Author: author,
      Creator: 'Consilium',
      Producer: 'Consilium',
      CreationDate: createdAt,
      ModDate: createdAt
    }
  })
  for (const [name, font] of Object.entries(faces)) doc.registerFont(name, font)
  return doc
}
