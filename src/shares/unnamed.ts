import type { KeyObject } from 'node:crypto'
import type { Patient } from '../../schemas/case.ts'
import { type CaseRow, openCaseDetails } from '../cases/case.ts'
import { Refusal } from '../errors.ts'
import {
  formsOfDate,
  formsOfNumber,
  namesSomebody,
  partsOfName,
  shortNamesIn
} from '../records/deidentify/identity.ts'
import { isNobodysName } from '../records/inspect/person-name.ts'
import { openTerms, type ShareRow } from './share.ts'

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

/** Names kept of the files of one share. Those of one patient are a few. */
const FILE_NAMES_MAX = 2000

/** What the files that are copied say of themselves, but for words that stand for no name. */
export function namesInFiles(files: ReadonlySet<string>[]): string[] {
  const all = new Set(files.flatMap(names => [...names].filter(name => !isNobodysName(name))))
  return [...all].slice(0, FILE_NAMES_MAX)
}

/** Whether a text names the patient of a case, in full, in part, by number or by date of birth. */
function namesPatient(text: string, patient: Patient, names: ReadonlySet<string>): boolean {
  return namesSomebody(text, names) || shortNamesIn(text, patient.name).length > 0
}

/**
 * Throws the Refusal `pseudonymise-names-patient` when a text that the specialist will read names the
 * patient of the case. `names` are those of `namesOf`.
 */
export function requireUnnamed(
  texts: string[],
  patient: Patient,
  names: ReadonlySet<string>
): void {
  if (texts.some(text => namesPatient(text, patient, names))) {
    throw new Refusal('pseudonymise-names-patient')
  }
}

/** The same for what the files that are copied say themselves: `names` are those of `namesInFiles`. */
export function requireUnnamedByFiles(texts: string[], names: string[]): void {
  const all = new Set(names)
  if (texts.some(text => namesSomebody(text, all))) {
    throw new Refusal('pseudonymise-names-patient', 'by a file')
  }
}

/**
 * Whether what the sender writes to the specialist of a share would tell them a name that they do not
 * know: where they have copies, that of the patient, as the case or the files have it. What a
 * specialist writes is not asked: the answer would tell them whose name they have guessed.
 */
export function tellsName(text: string, key: KeyObject, share: ShareRow, found: CaseRow): boolean {
  const { pseudonymised } = openTerms(key, share)
  if (pseudonymised === undefined) return false
  const { patient } = openCaseDetails(key, found)
  const ofFiles = new Set(pseudonymised.names)
  return namesPatient(text, patient, namesOf(patient)) || namesSomebody(text, ofFiles)
}
