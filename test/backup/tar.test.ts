import { spawnSync } from 'node:child_process'
import t from 'tap'
import { readTar, tarEnd, tarHeader, tarPadding } from '../../src/backup/tar.ts'

const MOMENT = Date.UTC(2026, 10, 2)

async function* pieces(bytes: Buffer, length: number) {
  for (let at = 0; at < bytes.length; at += length) yield bytes.subarray(at, at + length)
}

function archive(octalMax?: number): Buffer {
  const files = [
    { name: 'empty', text: '' },
    { name: 'objects/blobs/ab/abcdef', text: 'x'.repeat(512) },
    { name: 'last', text: 'y'.repeat(1000) }
  ]
  const parts = files.flatMap(({ name, text }) => [
    tarHeader({ name, bytes: text.length }, MOMENT, octalMax),
    Buffer.from(text),
    tarPadding(text.length)
  ])
  return Buffer.concat([...parts, tarEnd()])
}

for (const octalMax of [undefined, 600]) {
  t.test(`sizes of octal digits up to ${octalMax ?? 'eight GiB'}`, async t => {
    const bytes = archive(octalMax)
    for (const length of [1, 511, 512, 4096]) {
      const found: [string, number][] = []
      for await (const { name, content } of readTar(pieces(bytes, length))) {
        let read = 0
        for await (const piece of content) read += piece.length
        found.push([name, read])
      }
      t.strictSame(found, [
        ['empty', 0],
        ['objects/blobs/ab/abcdef', 512],
        ['last', 1000]
      ])
    }
    const listed = spawnSync('tar', ['tvf', '-'], { input: bytes, encoding: 'utf8' })
    t.match(listed, { status: 0, stderr: '' })
    t.match(listed.stdout, /^-rw------- .* 0 .* empty\n.* 512 .*\n.* 1000 .* last\n$/s)
  })
}

t.test('anything else is refused', async t => {
  const readAll = async (bytes: Buffer) => {
    for await (const { content } of readTar(pieces(bytes, 512))) for await (const _ of content);
  }
  const whole = archive()
  await t.rejects(readAll(whole.subarray(0, 1000)), /not a backup of Consilium/)
  await t.rejects(readAll(Buffer.alloc(2000, 'x')), /not a backup of Consilium/)
  for (const at of [0, 124, 148, 156, 257]) {
    const bytes = Buffer.from(whole)
    bytes[at] = Number(bytes[at]) ^ 1
    await t.rejects(readAll(bytes), /not a backup of Consilium/, `byte ${at}`)
  }
})
