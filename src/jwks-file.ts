import { exportJWK, generateKeyPair, type JWK } from 'jose'
import { v7 as uuidv7 } from 'uuid'
import { createPrivateFile, readPrivateFile } from './sealing/private-file.ts'
import { SealError } from './sealing/seal-error.ts'

/**
 * Makes a signing key and keeps it as a private JWK set (RFC 7517, section 5) that its owner alone can
 * read. Rejects with EEXIST when there is one: a second key must never take the place of a first.
 */
export async function createJwksFile(path: string, alg: 'ES256' | 'EdDSA'): Promise<void> {
  const { privateKey } = await generateKeyPair(alg, { extractable: true })
  const key = { ...(await exportJWK(privateKey)), kid: uuidv7(), alg, use: 'sig' }
  await createPrivateFile(path, `${JSON.stringify({ keys: [key] }, null, 2)}\n`)
}

/** The private keys of such a file. Throws SealError key-missing, keyring-unsafe, keyring-damaged. */
export async function readJwksFile(path: string): Promise<{ keys: JWK[] }> {
  const text = await readPrivateFile(path)
  try {
    const { keys } = JSON.parse(text)
    if (Array.isArray(keys) && keys.length > 0) return { keys }
  } catch {
    // The parser's own message quotes the text, which holds keys.
  }
  throw new SealError('keyring-damaged', 'A key file is not a JWK set.')
}
