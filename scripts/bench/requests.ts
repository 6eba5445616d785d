import { type Bench, type Figure, inTurn, type Run } from './figure.ts'
import { perform } from './processes.ts'
import { expectEvents, makeCase, type Service } from './servers.ts'
import { shareRecords } from './shared-case.ts'
import { onService } from './transfers.ts'
import { watched } from './watch.ts'

// Figures 5 and 6: requests whose event must be durable before they are answered. The baseline is
// the same service with one commit for each.

const CALLERS = 64
const WARM_MILLISECONDS = 2000
const MEASURED_MILLISECONDS = 4000
const ONE_COMMIT_EACH = { CONSILIUM_COMMIT_GROUP_MAX: '1' }
/** More requests than will be made: their events take about half a KiB each. */
const DISK_BYTES_PER_ROUND = 512 * 1024 ** 2

export const metadataRead: Figure = {
  name: 'metadata-read',
  unit: 'requests/s',
  goal: { ratioMin: 5 },
  diskBytes: rounds => rounds * DISK_BYTES_PER_ROUND,
  run: bench => groupedAndNot(bench, 'metadata-read', readCase)
}

export const shareOpenings: Figure = {
  name: 'share-openings',
  unit: 'requests/s',
  goal: { valueMin: 2000 },
  diskBytes: rounds => rounds * DISK_BYTES_PER_ROUND,
  run: bench => groupedAndNot(bench, 'share-openings', openLink)
}

function groupedAndNot(
  bench: Bench,
  name: string,
  measure: (bench: Bench, service: Service) => Promise<Run>
) {
  return inTurn(bench, name, {
    baseline: () => onService(bench, service => measure(bench, service), ONE_COMMIT_EACH),
    ours: () => onService(bench, service => measure(bench, service))
  })
}

async function readCase(bench: Bench, service: Service): Promise<Run> {
  const caseId = await makeCase(service)
  const { run, answered } = await load(bench, service, {
    method: 'GET',
    path: `/v1/cases/${caseId}`,
    tokens: await service.tokensOf('clinician', CALLERS)
  })
  await expectEvents(service, 'case.read', 'success', answered)
  return run
}

/** Openings of the share of the demo: a scan of 20 slices, a report and a letter. */
async function openLink(bench: Bench, service: Service): Promise<Run> {
  const caseId = await makeCase(service)
  const { id, link } = await shareRecords(service, caseId)
  const { run, answered } = await load(bench, service, {
    method: 'POST',
    path: '/v1/links/open',
    tokens: await service.tokensOf('specialist', CALLERS),
    bodies: [{ link }]
  })
  await expectEvents(service, 'link.open', 'success', answered)
  const { shares } = await service.clinician.json<{ shares: { id: string; openings: number }[] }>(
    'GET',
    `/v1/shares?case=${caseId}`
  )
  if (shares.find(share => share.id === id)?.openings !== answered) {
    throw new Error('Openings were counted wrongly.')
  }
  return run
}

/** Many callers of one process at once, each of whom waits for its answer. */
export async function load(
  bench: Pick<Bench, 'progress'>,
  service: Pick<Service, 'port' | 'pid' | 'stop'>,
  asked: { method: 'GET' | 'POST'; path: string; tokens: string[]; bodies?: unknown[] }
) {
  const { done, othersCores } = await watched(bench.progress, service, () =>
    perform({
      kind: 'load',
      port: service.port,
      ...asked,
      warmMilliseconds: WARM_MILLISECONDS,
      milliseconds: MEASURED_MILLISECONDS
    })
  )
  const { counted = 0, answered = 0, seconds } = done
  return { run: { value: counted / seconds, othersCores }, answered }
}
