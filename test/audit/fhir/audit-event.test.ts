import t from 'tap'
import { type AuditEventView, actions, outcomes } from '../../../schemas/audit-event.ts'
import { toAuditEvent } from '../../../src/audit/fhir/audit-event.ts'
import { profiles, tell } from '../../../src/audit/fhir/patterns.ts'
import { breachesOf } from './balp.ts'
import { faultsIn } from './r4.ts'

const ID = (digit: number) => `0193${digit}000-0000-7000-8000-00000000000${digit}`

const setting = {
  publicUrl: 'https://consilium.example',
  organisations: new Map([[ID(2), { name: 'City Hospital', odsCode: 'RX1' }]])
}

const request = {
  client: ID(3),
  requestId: 'abc-1',
  method: 'GET',
  route: '/v1/cases',
  address: '192.0.2.7'
}

/** An event with nothing but what every event has. */
function bare(change: Partial<AuditEventView> = {}): AuditEventView {
  return {
    id: ID(0),
    at: '2026-11-22T10:00:00.000Z',
    action: 'case.read',
    outcome: 'success',
    details: {},
    ...change
  }
}

/** An event that names everything an event can. */
function full(change: Partial<AuditEventView> = {}): AuditEventView {
  return bare({
    actor: { id: ID(1), name: 'Dr Alice Kestrel', organisation: ID(2) },
    case: ID(4),
    record: ID(5),
    object: ID(6),
    share: ID(7),
    recipientCountry: 'IE',
    grant: ID(8),
    bytesHandedOver: 12,
    details: request,
    ...change
  })
}

t.test('every action and outcome, with much and with little, is valid R4 and BALP', async t => {
  const claimed = new Set<string>()
  for (const action of actions) {
    for (const outcome of outcomes) {
      const code = outcome === 'refused' ? { code: 'share-expired' } : {}
      const { share, object, ...ofCase } = full({ action, outcome, ...code })
      const { case: _, record, ...ofNobody } = ofCase
      for (const [label, event] of Object.entries({
        full: full({ action, outcome, ...code }),
        bare: bare({ action, outcome, ...code }),
        ofCase,
        ofNobody,
        anonymous: bare({ action, outcome, ...code, details: { address: '192.0.2.7' } }),
        operator: bare({ action, outcome, details: { by: 'operator console', account: ID(9) } })
      })) {
        const resource = toAuditEvent(event, setting)
        const name = `${action} ${outcome}, ${label}`
        t.same(faultsIn(resource), [], `${name}: R4`)
        t.same(breachesOf(resource), [], `${name}: BALP`)
        for (const profile of resource.meta.profile ?? []) claimed.add(profile)
        if (outcome === 'refused') t.notOk(resource.meta.profile, `${name}: claims nothing`)
        if (label === 'bare') t.notOk(resource.meta.profile, `${name}: has nothing to claim with`)
      }
    }
  }
  t.same([...claimed].sort(), profiles, 'every profile of the CapabilityStatement is claimed')
})

t.test('these judges see faults', async t => {
  const good = toAuditEvent(full({ action: 'content.read', outcome: 'complete' }), setting)
  const { share, ...owned } = full({ action: 'content.read' })
  const own = toAuditEvent(owned, setting)
  t.not(faultsIn({ ...good, recorded: 'yesterday' } as never).length, 0)
  t.not(faultsIn({ ...good, outcome: '5' } as never).length, 0)
  t.not(faultsIn({ ...good, agent: [] } as never).length, 0)
  t.not(faultsIn({ ...good, severity: 'x' } as never).length, 0)
  t.same(breachesOf({ ...own, outcome: '4' }), ['a failure claims a profile for success'])
  t.not(breachesOf({ ...good, entity: [] }).length, 0)
  t.not(breachesOf({ ...good, agent: good.agent.map(({ network, ...one }) => one) }).length, 0)
  t.not(breachesOf({ ...own, agent: own.agent.toReversed().slice(1) }).length, 2)
})

t.test('a specialist reads: a disclosure by the service, to their system', async t => {
  const event = full({ action: 'content.read', outcome: 'granted' })
  const resource = toAuditEvent(event, setting)
  t.match(resource, {
    id: event.id,
    recorded: event.at,
    type: { code: '110106' },
    action: 'R',
    outcome: '0',
    outcomeDesc: 'granted',
    agent: [
      {
        type: { coding: [{ code: '110152' }] },
        who: { identifier: { value: ID(3) } },
        network: { type: '2' }
      },
      {
        type: { coding: [{ code: '110153' }] },
        network: { address: setting.publicUrl, type: '5' }
      },
      { type: { coding: [{ code: 'IRCP' }] }, name: 'Dr Alice Kestrel', requestor: true },
      {
        who: {
          identifier: {
            system: 'https://fhir.nhs.uk/Id/ods-organization-code',
            value: 'RX1'
          }
        }
      }
    ]
  })
  const data = resource.entity?.[0]
  t.match(data, {
    what: { identifier: { system: 'urn:consilium:object', value: ID(6) } },
    detail: [
      { type: 'bytes-handed-over', valueString: '12' },
      { type: 'recipient-country', valueString: 'IE' }
    ]
  })
  t.ok(resource.entity?.some(({ what }) => what?.reference === `AuditEvent/${ID(8)}`))
})

t.test('a download cut short is still a disclosure, and not a success', async t => {
  const codes = { aborted: '4', revoked: '4', failed: '8', interrupted: '12' } as const
  for (const [outcome, code] of Object.entries(codes)) {
    const event = full({ action: 'content.read', outcome: outcome as keyof typeof codes })
    const resource = toAuditEvent(event, setting)
    t.equal(resource.outcome, code, outcome)
    t.match(resource.meta.profile, [/PrivacyDisclosure\.Source$/])
  }
})

t.test('a query is told as it was put, without a patient', async t => {
  const details = { ...request, route: '/v1/audit/events', asked: { action: 'case.read' } }
  const resource = toAuditEvent(bare({ action: 'audit.query', details }), setting)
  const asked = Buffer.from(String(resource.entity?.[0]?.query), 'base64').toString()
  t.equal(asked, 'GET /v1/audit/events?action=case.read')
  t.match(resource.meta.profile, [/IHE\.BasicAudit\.Query$/])
})

t.test('a refusal is told alike whether or not a share was in it, which may be hidden', async t => {
  for (const action of actions) {
    t.same(tell(action, 'refused', true), tell(action, 'refused', false), action)
  }
  t.not(tell('content.read', 'complete', true).type.code, 'rest')
})

t.test('a client that was only claimed is not named', async t => {
  const event = bare({ action: 'token.issue', outcome: 'refused', code: 'invalid_client' })
  const told = (proven: boolean) =>
    JSON.stringify(toAuditEvent({ ...event, details: { ...request, proven } }, setting))
  t.ok(told(true).includes(request.client))
  t.notOk(told(false).includes(request.client))
})
