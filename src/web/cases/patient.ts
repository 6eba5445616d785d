import { NHS_NUMBER_SYSTEM, type Patient } from '../../../schemas/case.ts'

/** A patient as pages show them: an NHS number in groups of three, three and four. */
export function shownPatient({ name, birthDate, identifier }: Patient) {
  const isNhs = identifier.system === NHS_NUMBER_SYSTEM
  const number = isNhs
    ? identifier.value.replace(/^(\d{3})(\d{3})(\d{4})$/, '$1 $2 $3')
    : identifier.value
  return { name, birthDate, number, isNhs }
}
