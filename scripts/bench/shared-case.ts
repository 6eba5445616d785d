import { openAsBlob } from 'node:fs'
import { basename } from 'node:path'
import { brainSeries, pathologyReport, referralLetter } from '../../test/samples/samples.ts'
import type { Service } from './servers.ts'

const DAY_MILLISECONDS = 86_400_000

/** Shares these records, or those of the demo, which it uploads, with no bound on openings. */
export async function shareRecords(
  service: Service,
  caseId: string,
  uploaded?: string[]
): Promise<{ id: string; link: string }> {
  const records = uploaded ?? [
    await upload(service, caseId, 'scan', brainSeries()),
    await upload(service, caseId, 'pathology-report', [pathologyReport]),
    await upload(service, caseId, 'letter', [referralLetter])
  ]
  return service.clinician.json('POST', `/v1/cases/${caseId}/shares`, {
    specialist: service.specialistId,
    records,
    purpose: 'Second opinion before surgery',
    safeguard: {
      type: 'idta',
      reference: 'IDTA-2026-014',
      date: dateAfter(-30),
      expires: dateAfter(335),
      riskAssessment: {
        id: 'TRA-2026-9',
        date: dateAfter(-40),
        outcome: 'not-materially-lower'
      }
    }
  })
}

async function upload(service: Service, caseId: string, kind: string, files: string[]) {
  const form = new FormData()
  for (const [name, value] of Object.entries({ kind, title: kind, date: '2026-11-02' })) {
    form.append(name, value)
  }
  for (const file of files) form.append('file', await openAsBlob(file), basename(file))
  const { id } = await service.clinician.form<{ id: string }>(`/v1/cases/${caseId}/records`, form)
  return id
}

const dateAfter = (days: number): string =>
  new Date(Date.now() + days * DAY_MILLISECONDS).toISOString().slice(0, 10)
