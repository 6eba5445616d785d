import { createSecretKey } from 'node:crypto'
import { v7 as uuidv7 } from 'uuid'
import type { CaseCreate, CaseView } from '../../schemas/case.ts'
import { actedBy } from '../audit/acted-by.ts'
import type { Exchange } from '../exchange.ts'
import type { Caller } from '../identity/principal.ts'
import { newKey, wrapKey } from '../sealing/keys.ts'
import { aboutCase, caseKeyContext, sealCaseDetails } from './case.ts'
import { normalPatient, patientRef } from './patient.ts'
import { insertCase } from './queries.ts'
import { viewCase } from './view.ts'

/** Makes a case for the caller's organisation. Refuses an NHS number that cannot be one. */
export async function createCase(
  exchange: Exchange,
  caller: Caller,
  wanted: CaseCreate
): Promise<CaseView> {
  const patient = normalPatient(wanted.patient)
  const createdAt = exchange.clock()
  const id = uuidv7({ msecs: createdAt })
  const { organisationId } = caller

  const key = newKey()
  const wrappedKey = await wrapKey(exchange.keyring, caseKeyContext({ organisationId, id }), key)
  const row = {
    id,
    organisationId,
    createdBy: caller.accountId,
    wrappedKey,
    detailsSealed: sealCaseDetails(createSecretKey(key), id, {
      patient,
      question: wanted.question
    }),
    patientRef: patientRef(exchange.serviceKeys.lookup, patient.identifier),
    createdAt
  }
  key.fill(0)

  await exchange.database.write(async tx => {
    await insertCase(tx, row)
    await exchange.audit.append(tx, {
      action: 'case.create',
      outcome: 'success',
      ...actedBy(caller),
      ...aboutCase(row)
    })
  })
  return viewCase(exchange, row)
}
