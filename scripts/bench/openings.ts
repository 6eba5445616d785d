import type { Bench, Run } from './figure.ts'
import { holdTo } from './held.ts'
import { load } from './requests.ts'
import { makeCase, type Service } from './servers.ts'
import { shareRecords } from './shared-case.ts'

const CALLERS = 64
const SHARES = 16
/**
 * Of each process, so that the two of them, their database and the callers together leave some of two
 * cores free: otherwise the cores of this machine would be all that is measured.
 */
const CORES_EACH = 0.3

/**
 * As many callers in all, spread over the processes; every opening must have been counted. Several
 * callers open one share, as a specialist with many windows would; two processes open none together:
 * of one share all openings are counted one after the other, whoever counts them. Each process is
 * held to the same part of a core, as if it had a small machine of its own.
 */
export async function openLinks(
  bench: Bench,
  service: Service,
  processes: { port: number; pid: number; stop(): Promise<void> }[]
): Promise<Run> {
  const caseId = await makeCase(service)
  const first = await shareRecords(service, caseId)
  const { records } = await service.clinician.json<{ records: { id: string }[] }>(
    'GET',
    `/v1/cases/${caseId}/records`
  )
  const ids = records.map(({ id }) => id)
  const shared = [first]
  while (shared.length < SHARES) shared.push(await shareRecords(service, caseId, ids))
  const tokens = await service.tokensOf('specialist', CALLERS)
  const loadEach = () =>
    Promise.all(
      processes.map((process, n) => {
        const own = tokens.filter((_, at) => at % processes.length === n)
        const bodies = shared
          .filter((_, at) => at % processes.length === n)
          .map(({ link }) => ({ link }))
        const asked = { method: 'POST', path: '/v1/links/open', tokens: own, bodies } as const
        return load(bench, process, asked)
      })
    )
  // What compiles with use is compiled by then, or it would be most of what a part of a core does.
  const warmed = await loadEach()
  const held = processes.map(({ pid }) => holdTo(CORES_EACH, pid))
  if (held.includes(undefined)) bench.progress('(not held: no control groups) ')
  const loads = await loadEach().finally(() => {
    for (const letGo of held) letGo?.()
  })
  const answered = [...warmed, ...loads].reduce((sum, one) => sum + one.answered, 0)
  const { shares } = service.data.database.read.tables
  const rows = await service.data.database.read.select().from(shares)
  const counted = rows
    .filter(({ id }) => shared.some(share => share.id === id))
    .reduce((sum, row) => sum + row.openings, 0)
  if (counted !== answered) throw new Error('Openings were counted wrongly.')
  return { value: loads.reduce((sum, one) => sum + one.run.value, 0) }
}
