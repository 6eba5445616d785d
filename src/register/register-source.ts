/** How somebody stands in the register of their professional body. Wire constants: stored. */
export type RegisterStatus =
  | 'registered'
  /** Provisional or temporary: may not practise on their own. */
  | 'not-full'
  | 'no-licence'
  | 'suspended'
  | 'erased'
  /** Left, died, or a status nobody here knows. */
  | 'not-registered'

/** What the file of a professional body says of one registration. */
export interface RegisterEntry {
  number: string
  familyName: string
  givenName: string
  status: RegisterStatus
  onSpecialistRegister: boolean
}

/** A professional body whose register can be had as a file. Another body is another of these. */
export interface RegisterSource {
  /** The system of its numbers, as the entries of our register have it. */
  system: string
  name: string
  /**
   * Every registration in the file, in its order. Throws CsvError at the first line that it does not
   * understand: whoever was left out would be taken for somebody who is not registered.
   */
  read(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<RegisterEntry>
}
