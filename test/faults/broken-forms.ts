import { BOUNDARY, filePart, formBody, formType, goodFields, type Part } from './multipart.ts'

/** In every file of a form, so that it can be searched for. */
export const MARKER = 'bittern-in-clear'

/** What the forms are measured against. */
export const formLimits = { objectBytesMax: 200_000, objectsPerRecordMax: 3 }

export const letter = filePart(`Dear colleague, ${MARKER}.\n`)
export const good = formBody([...goodFields, letter])

export interface Form {
  what: string
  body: Buffer
  headers?: Record<string, string>
}

type Broken = Form & { status: number; code: string }

const [kind, title, date] = goodFields as [Part, Part, Part]
const field = (name: string, body: string) => ({ name, body })
const json = (body: string) => ({ ...kind, type: 'application/json', body })
const digest = (value: string) => field('repr-digest', value)
const wrongDigest = digest(`sha-256=:${Buffer.alloc(32).toString('base64')}:`)
const pdf = filePart(MARKER, { fileName: 'a.pdf', type: 'application/pdf' })
const page = filePart('<html><script>1</script></html>', { fileName: 'a.html', type: 'text/html' })
const noise = filePart(Buffer.from([0, 1, 2, 3, 4, 5]), {
  fileName: 'a.bin',
  type: 'application/octet-stream'
})
const otherType = (type: string) => ({ 'content-type': type })

const broken = (
  what: string,
  parts: Part[] | Buffer,
  status: number,
  code: string,
  headers?: Record<string, string>
): Broken => ({
  what,
  body: Buffer.isBuffer(parts) ? parts : formBody(parts),
  status,
  code,
  ...(headers && { headers })
})

/** Forms that must be refused, each with its code. */
export const brokenForms: Broken[] = [
  broken(
    'cut before its final boundary',
    formBody([...goodFields, letter], false),
    400,
    'file-truncated'
  ),
  broken('cut inside its file', good.subarray(0, -60), 400, 'file-truncated'),
  broken('cut inside a field', good.subarray(0, 60), 400, 'file-truncated'),
  broken('of no bytes', Buffer.alloc(0), 400, 'file-missing'),
  broken('with no part', Buffer.from(`--${BOUNDARY}--\r\n`), 400, 'file-missing'),
  broken('with no file', goodFields, 400, 'file-missing'),
  broken(
    'whose file has neither name nor type',
    [...goodFields, field('file', 'x')],
    400,
    'request-invalid'
  ),
  broken('with an empty file', [...goodFields, filePart('')], 422, 'file-empty'),
  broken('with two empty files', [...goodFields, filePart(''), filePart('')], 422, 'file-empty'),
  broken(
    'with a field after its file',
    [...goodFields, letter, field('note', 'x')],
    400,
    'fields-first'
  ),
  broken('whose date comes last', [kind, title, letter, date], 400, 'request-invalid'),
  broken('with a field twice', [...goodFields, kind, letter], 400, 'request-invalid'),
  broken('without a field', [kind, title, letter], 400, 'request-invalid'),
  broken(
    'with an unknown field',
    [...goodFields, field('colour', 'red'), letter],
    400,
    'request-invalid'
  ),
  broken(
    'with a field __proto__',
    [...goodFields, field('__proto__', '{"kind":"x"}'), letter],
    400,
    'request-invalid'
  ),
  broken(
    'with a field constructor',
    [...goodFields, field('constructor', 'x'), letter],
    400,
    'request-invalid'
  ),
  broken(
    'with a file __proto__',
    [...goodFields, { ...letter, name: '__proto__' }],
    400,
    'request-invalid'
  ),
  broken('with a JSON field', [json('{"a":1}'), title, date, letter], 400, 'request-invalid'),
  broken(
    'with a JSON field that is polluted',
    [json('{"__proto__":{"a":1}}'), title, date, letter],
    400,
    'request-invalid'
  ),
  broken(
    'with a JSON field that is broken',
    [json('{"a"'), title, date, letter],
    400,
    'request-invalid'
  ),
  broken(
    'with too many files',
    [...goodFields, letter, letter, letter, letter],
    413,
    'too-many-files'
  ),
  broken(
    'with far too many files',
    [...goodFields, ...Array(20).fill(letter)],
    413,
    'too-many-files'
  ),
  broken(
    'with many digests before one file',
    [...Array(60).fill(wrongDigest), ...goodFields, letter],
    400,
    'digest-invalid'
  ),
  broken(
    'with too large a file',
    [...goodFields, filePart('x'.repeat(200_001))],
    413,
    'file-too-large'
  ),
  broken(
    'with a file far too large',
    [...goodFields, filePart('y'.repeat(3_000_000))],
    413,
    'file-too-large'
  ),
  broken('with a mislabelled file', [...goodFields, pdf], 415, 'file-mislabelled'),
  broken('with a file of no known type', [...goodFields, noise], 415, 'file-type-refused'),
  broken('with a web page', [...goodFields, page], 415, 'file-type-refused'),
  broken(
    'with a field of 17 KiB',
    [{ ...title, body: 't'.repeat(17_000) }, kind, date, letter],
    400,
    'request-invalid'
  ),
  broken(
    'with a title of 5,000 letters',
    [{ ...title, body: 't'.repeat(5_000) }, kind, date, letter],
    400,
    'request-invalid'
  ),
  broken(
    'with a field name of 5,000 letters',
    [...goodFields, field('n'.repeat(5_000), 'x'), letter],
    400,
    'request-invalid'
  ),
  broken(
    'with the digest of another file',
    [...goodFields, wrongDigest, letter],
    422,
    'digest-mismatch'
  ),
  broken(
    'with a digest that is none',
    [...goodFields, digest('md5=:AAAA:'), letter],
    400,
    'digest-invalid'
  ),
  broken('without a boundary', good, 400, 'request-invalid', otherType('multipart/form-data')),
  broken(
    'with another boundary',
    good,
    400,
    'file-truncated',
    otherType('multipart/form-data; boundary=other')
  ),
  broken(
    'that is JSON',
    Buffer.from('{"kind":"letter"}'),
    415,
    'media-type-refused',
    otherType('application/json')
  ),
  broken(
    'that is another multipart',
    good,
    415,
    'media-type-refused',
    otherType(formType.replace('form-data', 'mixed'))
  )
]

const longName = `${'ü'.repeat(3_000)}.txt`
const manyHeaders = Array.from({ length: 60 }, (_, i) => `X-Extra-${i}: ${'h'.repeat(50)}`)

/** Forms that are odd and yet say clearly what they mean: taken. */
export const oddForms: Form[] = [
  {
    what: 'with a good file before an empty one',
    body: formBody([...goodFields, letter, filePart('')])
  },
  {
    what: 'with a good file between two that are none',
    body: formBody([...goodFields, noise, letter, pdf])
  },
  {
    what: 'with text before and after its parts',
    body: Buffer.concat([Buffer.from('before\r\n'), good, Buffer.from('after')])
  },
  {
    what: 'with far too many headers of a part',
    body: formBody([...goodFields, { ...letter, headers: manyHeaders }])
  },
  {
    what: 'with a header of 90 KiB',
    body: formBody([...goodFields, { ...letter, headers: [`X-Long: ${'h'.repeat(90_000)}`] }])
  },
  {
    what: 'with a very long file name',
    body: formBody([...goodFields, { ...letter, fileName: longName }])
  },
  {
    what: 'with a path for a file name',
    body: formBody([...goodFields, { ...letter, fileName: '../../etc/passwd.txt' }])
  },
  {
    what: 'with a file that has a type and no name',
    body: formBody([
      ...goodFields,
      { name: 'file', type: 'application/octet-stream', body: letter.body }
    ])
  },
  {
    what: 'with files under other names',
    body: formBody([...goodFields, { ...letter, name: 'a' }, { ...letter, name: '' }])
  },
  {
    what: 'with a file of just the limit',
    body: formBody([...goodFields, filePart('z'.repeat(200_000))])
  },
  {
    what: 'with a boundary that is quoted',
    body: good,
    headers: otherType(`multipart/form-data; boundary="${BOUNDARY}"`)
  }
]
