import { execFileSync } from 'node:child_process'
import { type FileHandle, open } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { INSPECT_BYTES, inspect } from '../../../src/records/inspect/inspect.ts'
import { lookInside } from '../../../src/records/inspect/look-inside.ts'
import type { ObjectSummary } from '../../../src/records/inspect/summary.ts'
import { type Page, slideOf } from '../../helpers/made-slide.ts'
import { pythonPeer } from '../../peers/python.ts'

const see = (file: Buffer): Promise<ObjectSummary> =>
  lookInside('image/tiff', {
    bytes: file.length,
    read: async (position, length) => file.subarray(position, position + length)
  })

/** A file as an upload looks into it: its first bytes, and then what it asks for. */
async function seeFile(file: FileHandle) {
  const { size } = await file.stat()
  const read = async (position: number, length: number) => {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, position)
    return buffer.subarray(0, bytesRead)
  }
  const { type } = inspect(await read(0, INSPECT_BYTES), size <= INSPECT_BYTES, {})
  return { type, ...(await lookInside(type, { bytes: size, read })) }
}

/** 24,576 × 20,480 pixels and seven halvings of it, as libvips writes them. */
const pyramid: Page[] = Array.from({ length: 8 }, (_, level) => ({
  width: 24_576 >> level,
  height: 20_480 >> level,
  tile: 256
}))

const levelOf = ({ width, height }: Page) => ({
  width,
  height,
  tileWidth: 256,
  tileHeight: 256
})

t.test('a pyramid of half a thousand million pixels', async t => {
  for (const form of [{}, { big: true }, { big: true, little: false }, { little: false }]) {
    const { slide, notes } = await see(slideOf(pyramid, form))
    t.equal(slide?.levels.length, 8)
    t.same(slide?.levels[0], { width: 24_576, height: 20_480, tileWidth: 256, tileHeight: 256 })
    t.same(slide?.levels[7], { width: 192, height: 160, tileWidth: 256, tileHeight: 256 })
    t.match(slide, { label: false, macro: false })
    t.same(notes, [])
  }
})

t.test('the same written by libvips itself', async t => {
  const directory = pythonPeer(t, 'libvips')
  if (directory === undefined) return
  const script = join(import.meta.dirname, '..', '..', 'peers', 'libvips', 'slide.py')
  const env = { PATH: process.env.PATH ?? '', PYTHONPATH: directory }
  const path = join(t.testdir(), 'slide.tif')
  execFileSync('python3', [script, path], { env })
  const file = await open(path)
  t.teardown(() => file.close())
  const { type, slide, notes } = await seeFile(file)
  t.equal(type, 'image/tiff')
  t.same(slide?.levels, pyramid.map(levelOf))
  t.match(slide, { label: false, macro: false })
  t.same(notes, [])
})

t.test('the label and the photograph of an Aperio slide are seen', async t => {
  const aperio = 'Aperio Image Library v11.2.1\n46000x32914 [0,100 46000x32814] (256x256) JPEG/RGB'
  const pages = [
    { ...pyramid[0], description: aperio },
    { width: 574, height: 768, description: 'Aperio Image Library v11.2.1\nthumbnail 574x768' },
    { ...pyramid[2], description: aperio },
    { width: 387, height: 463, description: 'Aperio Image Library v11.2.1\nlabel 387x463' },
    { width: 1280, height: 431, description: 'Aperio Image Library v11.2.1\nmacro 1280x431' }
  ] as Page[]
  const { slide, notes } = await see(slideOf(pages))
  t.match(slide, { label: true, macro: true, vendor: 'Aperio' })
  t.same(
    slide?.levels.map(({ width }) => width),
    [24_576, 6144, 574]
  )
  t.match(notes, [{ code: 'label-image' }])
})

t.test('a slide of very many pages is read as far as the limit', async t => {
  const pages = Array.from({ length: 1200 }, () => ({ width: 10, height: 10 }))
  const { slide, notes } = await see(slideOf(pages))
  t.equal(slide?.levels.length, 64)
  t.match(notes, [{ code: 'structure-not-fully-read' }])
})
