import { hash } from 'node:crypto'
import { type Static, Type } from 'typebox'
import { Value } from 'typebox/value'
import { type ConsentKind, type ConsentText, consentKinds } from '../../schemas/consent.ts'
import { Refusal } from '../errors.ts'
import secondOpinion from './texts/second-opinion.json' with { type: 'json' }
import transfer from './texts/transfer.json' with { type: 'json' }

const strict = { additionalProperties: false }

/**
 * What patients are asked to agree to, in all its versions, newest last. A version that somebody has
 * agreed to is never edited: its digest is kept with their consent, and an edit would be found out.
 */
const Texts = Type.Object(
  {
    kind: Type.Enum(consentKinds),
    owner: Type.String({ minLength: 1 }),
    versions: Type.Array(
      Type.Object(
        {
          version: Type.Integer({ minimum: 1 }),
          asOf: Type.String({ pattern: '^\\d{4}-\\d\\d-\\d\\d$' }),
          language: Type.String({ minLength: 2 }),
          text: Type.String({ minLength: 1 })
        },
        strict
      ),
      { minItems: 1 }
    )
  },
  strict
)

const texts: ConsentText[] = [secondOpinion, transfer].flatMap(readTexts)

/** Takes a file of texts as it is written. Throws for one that is not as it must be. */
export function readTexts(file: unknown): ConsentText[] {
  if (!Value.Check(Texts, file)) {
    const [first] = Value.Errors(Texts, file)
    throw new Error(`A text for patients is wrong at ${first?.instancePath}: ${first?.message}`)
  }
  const { kind, owner, versions }: Static<typeof Texts> = file
  return versions.map((given, place) => {
    if (given.version !== place + 1) throw new Error('Versions of a text count from 1.')
    return { kind, owner, ...given, sha256: hash('sha256', given.text, 'hex') }
  })
}

/** Every version of every text, as it is shown to whoever asks a patient. */
export const consentTexts: readonly ConsentText[] = texts

/**
 * The text that a consent names. The digest says that the patient was shown this very text: Refusal
 * `consent-text-unknown` when there is none such.
 */
export function textOf(kind: ConsentKind, version: number, sha256: string): ConsentText {
  const found = texts.find(text => text.kind === kind && text.version === version)
  if (found?.sha256 !== sha256) throw new Refusal('consent-text-unknown')
  return found
}

/** Whether the text of a stored consent is still the one that was agreed to. */
export function isTextKept(kind: string, version: number, sha256: Buffer): boolean {
  const found = texts.find(text => text.kind === kind && text.version === version)
  return found?.sha256 === sha256.toString('hex')
}
