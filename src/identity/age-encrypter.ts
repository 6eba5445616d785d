import { Encrypter } from 'age-encryption'

/** An encrypter to one recipient (C2SP age). Throws for what is none. */
export function encrypterTo(recipient: string): Encrypter {
  const encrypter = new Encrypter()
  encrypter.addRecipient(recipient)
  return encrypter
}
