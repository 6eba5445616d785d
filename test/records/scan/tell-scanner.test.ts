import t from 'tap'
import { createScanner } from '../../../src/records/scan/scanner.ts'
import { tellScanner } from '../../../src/records/scan/tell-scanner.ts'
import { startRealService } from '../../faults/real-service.ts'
import { eventually, startExchange } from '../../helpers/exchange.ts'
import { scriptedClamd } from '../../helpers/scripted-clamd.ts'

const NOW = Date.parse('2026-11-23T12:00:00Z')

function settings(path: string) {
  const limits = { bytesMax: 1000, secondsMax: 1, connectionsMax: 2, waitMinutesMax: 1 }
  return { clamd: { path }, ...limits, unscanned: 'refuse' as const }
}

/** What the operator is told at the start, one line each. */
async function toldOf(scanner: ReturnType<typeof createScanner>): Promise<string[]> {
  const told: string[] = []
  const line = (...parts: unknown[]) => void told.push(parts.map(p => JSON.stringify(p)).join(' '))
  await tellScanner(scanner, { info: line, warn: line } as never)
  return told
}

t.test('how the scanner is, at the start and to whoever asks', async t => {
  const clamd = await scriptedClamd(t)
  const scanner = () => createScanner(settings(clamd.address), () => NOW)
  const look = async () => ({ health: await scanner().health(), told: await toldOf(scanner()) })

  t.match(await look(), { health: 'ok', told: [/ClamAV 1\.4\.6.*refuse/] })
  clamd.version = 'ClamAV 1.4.6/27800/Sun Nov 22 08:25:38 2026\0'
  t.match(await look(), { health: 'ok', told: [/27800/] })
  clamd.version = 'ClamAV 1.4.6/27100/Sun Nov 15 08:25:38 2026\0'
  t.match(await look(), { health: 'signatures are old', told: [/27100/, /signatures are old/] })
  clamd.pong = 'PING\0'
  t.match(await look(), { health: 'failing', told: [/does not answer/] })
  await clamd.close()
  t.match(await look(), { health: 'failing', told: [/does not answer/] })
  const none = createScanner(undefined, () => NOW)
  t.equal(await none.health(), 'off')
  t.match(await toldOf(none), [/no malware scanner: files are stored and shared unscanned/])
})

t.test('readiness shows it, and is not spoilt by it', async t => {
  const clamd = await scriptedClamd(t)
  const x = await startExchange(t, { env: { CONSILIUM_CLAMD: clamd.address } })
  const ready = (scanner: string) => ({
    status: 200,
    json: { status: 'ready', checks: { scanner } }
  })
  t.match(await x.client().send('GET', '/readyz'), ready('ok'))
  const asked = clamd.asked
  for (let n = 0; n < 20; n += 1) await x.client().send('GET', '/readyz')
  t.equal(clamd.asked, asked, 'strangers who ask all day do not reach the scanner')
  await clamd.close()
  await x.restart()
  t.match(await x.client().send('GET', '/readyz'), ready('failing'))
  await x.restart({ CONSILIUM_CLAMD: '' })
  t.match(await x.client().send('GET', '/readyz'), ready('off'))
})

t.test('the service itself says so at its start', async t => {
  const service = await startRealService(t)
  await eventually('it is told', () =>
    service.told().includes('no malware scanner') ? true : undefined
  )
})
