import { crc32 } from 'node:zlib'

const END = 0x06054b50
const CENTRAL = 0x02014b50
const LOCAL = 0x04034b50

/**
 * Entries of a ZIP archive whose files are stored without compression, by its central directory
 * (APPNOTE 6.3.10, sections 4.3.7, 4.3.12 and 4.3.16). Throws on anything that does not fit.
 */
export function readZip(archive: Buffer): { name: string; bytes: Buffer }[] {
  const end = archive.length - 22
  if (archive.readUInt32LE(end) !== END) throw new Error('There is no end record.')
  const count = archive.readUInt16LE(end + 10)
  let at = archive.readUInt32LE(end + 16)
  return Array.from({ length: count }, () => {
    if (archive.readUInt32LE(at) !== CENTRAL) throw new Error('There is no directory entry.')
    const crc = archive.readUInt32LE(at + 16)
    const size = archive.readUInt32LE(at + 24)
    const nameLength = archive.readUInt16LE(at + 28)
    const name = archive.toString('utf8', at + 46, at + 46 + nameLength)
    const bytes = contentAt(archive, archive.readUInt32LE(at + 42), size)
    if (crc32(bytes) !== crc) throw new Error(`${name} does not match its checksum.`)
    at += 46 + nameLength + archive.readUInt16LE(at + 30) + archive.readUInt16LE(at + 32)
    return { name, bytes }
  })
}

function contentAt(archive: Buffer, local: number, size: number): Buffer {
  if (archive.readUInt32LE(local) !== LOCAL) throw new Error('There is no local header.')
  if (archive.readUInt16LE(local + 8) !== 0) throw new Error('The entry is compressed.')
  const start = local + 30 + archive.readUInt16LE(local + 26) + archive.readUInt16LE(local + 28)
  return archive.subarray(start, start + size)
}
