import { createHmac, type KeyObject } from 'node:crypto'
import { NHS_NUMBER_SYSTEM, type Patient, type PatientIdentifier } from '../../schemas/case.ts'
import { Refusal } from '../errors.ts'
import { canonicalContext } from '../sealing/keys.ts'

/**
 * The identifier in its one form: an NHS number without spaces or hyphens and with a right check
 * digit (Refusal `nhs-number-invalid` otherwise), any other with its ends trimmed.
 */
export function normalIdentifier(identifier: PatientIdentifier): PatientIdentifier {
  if (identifier.system !== NHS_NUMBER_SYSTEM) {
    return { system: identifier.system, value: identifier.value.trim().normalize('NFC') }
  }
  const value = identifier.value.replace(/[\s-]/g, '')
  if (!isNhsNumber(value)) throw new Refusal('nhs-number-invalid')
  return { system: NHS_NUMBER_SYSTEM, value }
}

export function normalPatient(patient: Patient): Patient {
  return {
    identifier: normalIdentifier(patient.identifier),
    name: patient.name.trim().normalize('NFC'),
    birthDate: patient.birthDate
  }
}

/**
 * NHS Data Dictionary, NHS NUMBER: ten digits, the last of which is 11 less the weighted sum of the
 * others modulo 11. Ten equal digits can pass the sum but are never issued.
 */
export function isNhsNumber(value: string): boolean {
  if (!/^\d{10}$/.test(value) || /^(\d)\1{9}$/.test(value)) return false
  const digits = [...value].map(Number)
  const sum = digits.slice(0, 9).reduce((total, digit, place) => total + digit * (10 - place), 0)
  const check = 11 - (sum % 11)
  return (check === 11 ? 0 : check) === digits[9]
}

/**
 * What stands for a patient where equal patients must be found but not read: 32 bytes that cannot
 * be reversed or tried out without the lookup key.
 */
export function patientRef(lookup: KeyObject, identifier: PatientIdentifier): Buffer {
  const { system, value } = normalIdentifier(identifier)
  return createHmac('sha256', lookup)
    .update(canonicalContext('patient', system, value))
    .digest()
}
