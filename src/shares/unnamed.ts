import type { Patient } from '../../schemas/case.ts'
import { Refusal } from '../errors.ts'
import {
  formsOfDate,
  formsOfNumber,
  namesSomebody,
  partsOfName,
  shortNamesIn
} from '../records/deidentify/identity.ts'
import { isNobodysName } from '../records/inspect/person-name.ts'

/** What would name the patient of a case in a text. */
export function namesOf({ name, identifier, birthDate }: Patient): ReadonlySet<string> {
  return new Set([
    ...partsOfName(name),
    ...formsOfNumber(identifier.value),
    ...spaced(identifier.value),
    ...formsOfDate(birthDate)
  ])
}

/** An NHS number as people write it. */
function spaced(number: string): string[] {
  const [, a, b, c] = /^(\d{3})(\d{3})(\d{4})$/.exec(number) ?? []
  return a === undefined ? [] : [`${a} ${b} ${c}`]
}

/** Whether a text names the patient of a case, in full, in part, by number or by date of birth. */
export function namesPatient(text: string, patient: Patient, names = namesOf(patient)): boolean {
  return namesSomebody(text, names) || shortNamesIn(text, patient.name).length > 0
}

/**
 * Throws the Refusal `pseudonymise-names-patient` when a text that the specialist will read names the
 * patient of the case. `names` are those of `namesOf`.
 */
export function requireUnnamed(
  texts: string[],
  patient: Patient,
  names: ReadonlySet<string> = namesOf(patient)
): void {
  if (texts.some(text => namesPatient(text, patient, names))) {
    throw new Refusal('pseudonymise-names-patient')
  }
}

/** The same for what the files that are copied say themselves, but for words that stand for no name. */
export function requireUnnamedByFiles(texts: string[], files: ReadonlySet<string>[]): void {
  const all = new Set(files.flatMap(names => [...names].filter(name => !isNobodysName(name))))
  if (texts.some(text => namesSomebody(text, all))) {
    throw new Refusal('pseudonymise-names-patient', 'by a file')
  }
}
