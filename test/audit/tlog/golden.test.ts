import t from 'tap'
import { edgeRoot, grow } from '../../../src/audit/tlog/tiles.ts'
import {
  completeRoot,
  emptyRoot,
  frontier,
  leafHash,
  nodeHash,
  rootAt
} from '../../../src/audit/tlog/tree.ts'
import { naiveTree } from './naive.ts'

// Constants and roots of the test data of transparency-dev/merkle: hashes nobody here computed.

t.test('the hashes of RFC 6962', async t => {
  const cases = [
    ['nothing', emptyRoot, 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'],
    [
      'an empty leaf',
      leafHash(Buffer.alloc(0)),
      '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d'
    ],
    [
      'a leaf',
      leafHash(Buffer.from('L123456')),
      '395aa064aa4c29f7010acfe3f25db9485bbd4b91897b6ad7ad547639252b4d56'
    ],
    [
      'a node',
      nodeHash(Buffer.from('N123'), Buffer.from('N456')),
      'aa217fe888e47007fa15edab33c2b492a722cb106c64667fc2b044444de66bbb'
    ]
  ] as const
  for (const [name, found, hex] of cases) t.equal(found.toString('hex'), hex, name)
})

const entries = [
  '',
  '00',
  '10',
  '2021',
  '3031',
  '40414243',
  '5051525354555657',
  '606162636465666768696a6b6c6d6e6f'
].map(hex => Buffer.from(hex, 'hex'))

const smallRoots = [
  'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
  '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
  '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328'
]

t.test('the roots of the first trees', async t => {
  const leaves = entries.map(leafHash)
  const tree = naiveTree(leaves)
  const edge = frontier()
  for (const [size, hex] of smallRoots.entries()) {
    const grown = grow(0, [], leaves.slice(0, size))
    t.equal(edge.root().toString('hex'), hex, `frontier of ${size}`)
    t.equal((await rootAt(size, tree.read)).toString('hex'), hex, `rootAt ${size}`)
    t.equal(edgeRoot(size, grown.edge).toString('hex'), hex, `edgeRoot of ${size}`)
    t.equal(tree.root(size).toString('hex'), hex, `the naive root of ${size}`)
    if (size < 8) edge.add(leaves[size]!)
  }
  t.equal(completeRoot(Buffer.concat(leaves)).toString('hex'), smallRoots.at(-1))
})

const roots: [number, string][] = [
  [0, '47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='],
  [10, 'VjWMPSYNtCuCNlF/RLnQy6HcwSk6CIipfxm+hettA+4='],
  [15, 'j4SulYmocFuxdeyp12xXCIgK6PekBcxzAIj4zbQzNEI='],
  [16, 'c+4Uc6BCMOZf/v3NZK1kqTUJe+bBoFtOhP+P3SayKRE='],
  [100, 'dUh9hYH88p0CMoHkdr1wC2szbhcLAXOejWpINIooKUY='],
  [255, 'SmdsuKUqiod3RX2jyF2M6JnbdE4QuTwwipfAowI4/i0='],
  [256, 'qFI0t/tZ1MdOYgyPpPzHFiZVw86koScXy9q3FU5casA='],
  [1000, 'RXrgb8xHd55Y48FbfotJwCbV82Kx22LZfEbmBGAvwlQ='],
  [4095, 'cWRFdQhPcjn9WyBXE/r1f04ejxIm5lvg40DEpRBVS0w='],
  [4096, '6uU/phfHg1n/GksYT6TO9aN8EauMCCJRl3dIK0HDs2M='],
  [10_000, 'VZcav65F9haHVRk3wre2axFoBXRNeUh/1d9d5FQfxIg='],
  [65_535, 'iPuVYJhP6SEE4gUFp8qbafd2rYv9YTCDYqAxCj8HdLM=']
]

t.test('the roots of larger trees', async t => {
  const leaf = Buffer.alloc(2)
  const leaves = Array.from({ length: 65_535 }, (_, index) => {
    leaf.writeUInt16LE(index)
    return leafHash(leaf)
  })
  const edge = frontier()
  let grown = grow(0, [], [])
  for (const [size, base64] of roots) {
    for (const hash of leaves.slice(edge.size(), size)) edge.add(hash)
    grown = grow(grown.size, grown.edge, leaves.slice(grown.size, size))
    t.equal(edge.root().toString('base64'), base64, `frontier of ${size}`)
    t.equal(edgeRoot(size, grown.edge).toString('base64'), base64, `tiles of ${size}`)
  }
})
