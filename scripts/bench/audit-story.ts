import type { AuditEvent } from '../../src/audit/log.ts'
import { type Actor, type Case, dice, type Population, type Share } from './audit-population.ts'

// What happens in a made-up exchange, event by event.

/** An event with its time, milliseconds UTC. */
export interface Timed extends Omit<AuditEvent, 'grantId'> {
  at: number
  /** Completes the event before it. */
  completes?: boolean
}

type Story = Omit<Timed, 'at'>

/** What happens, by how often in a hundred times, and who does it. */
const mix: [percent: number, tell: (scene: Scene) => Story[]][] = [
  [18, ({ clinician }) => [by(clinician, 'token.issue')]],
  [8, ({ clinician }) => [by(clinician, 'case.list')]],
  [14, ({ clinician, about }) => [by(clinician, 'case.read', ofCase(about))]],
  [8, ({ clinician, about }) => [by(clinician, 'record.list', ofCase(about))]],
  [12, ({ clinician, about }) => [by(clinician, 'record.read', ofRecord(about))]],
  [3, ({ clinician, about }) => [by(clinician, 'record.create', ofRecord(about))]],
  [12, ({ clinician, about }) => reading(clinician, ofRecord(about))],
  [1, ({ clinician, about }) => [by(clinician, 'case.search', { patientRef: about.patientRef })]],
  [3, ({ share }) => [by(share.specialist, 'link.open', ofShare(share))]],
  [2, ({ share }) => [by(share.specialist, 'share.read', ofShare(share))]],
  [12, ({ share }) => reading(share.specialist, ofShare(share))],
  [0.3, ({ auditor }) => [by(auditor, 'audit.query')]],
  [0.05, ({ auditor }) => [by(auditor, 'audit.export')]],
  [0.4, () => [refused({ action: 'case.list' }, 'token-missing')]],
  [3, ({ clinician }) => [refused(by(clinician, 'case.read'), 'case-not-found')]],
  [
    0.3,
    ({ stranger, about }) => [refused(by(stranger, 'case.read', ofCase(about)), 'case-not-found')]
  ],
  [
    2.5,
    ({ share }) => [refused(by(share.specialist, 'link.open', ofShare(share)), 'share-expired')]
  ],
  [0.45, ({ auditor }) => [by(auditor, 'account.read')]]
]

interface Scene {
  clinician: Actor
  auditor: Actor
  /** A clinician of another organisation than the case's. */
  stranger: Actor
  about: Case
  share: Share
}

/** Exactly so many events in the order of their times; most concern what is recent at the time. */
export function* eventsOf(
  { actors, cases, shares }: Population,
  count: number,
  { from, to }: { from: number; to: number }
): Generator<Timed> {
  const random = dice(count)
  const one = <T>(list: T[], first = 0): T =>
    list[first + Math.floor(random() * (list.length - first))] as T
  let told = 0
  while (told < count) {
    const share = recent(shares, told / count, 0.005, random)
    const about = recent(cases, told / count, random() < 0.8 ? 0.02 : 1, random)
    const staff = actors[about.holder] as Actor[]
    const scene: Scene = {
      clinician: one(staff, 2),
      auditor: staff[Math.floor(random() * 2)] as Actor,
      stranger: one(actors[(about.holder + 1) % 14] as Actor[], 2),
      about,
      share
    }
    for (const story of drawn(random())(scene)) {
      if (told === count) return
      yield { ...story, at: Math.floor(from + ((to - from) * told) / count) }
      told += 1
    }
  }
}

/** What happens at this throw of the dice. */
function drawn(thrown: number): (scene: Scene) => Story[] {
  const whole = mix.reduce((sum, [percent]) => sum + percent, 0)
  let left = thrown * whole
  for (const [percent, tell] of mix) {
    left -= percent
    if (left < 0) return tell
  }
  return () => []
}

/** One of what was made before this part of the time and at most `window` of the whole earlier. */
function recent<T>(list: T[], part: number, window: number, random: () => number): T {
  const earlier = Math.floor(random() * Math.min(part, window) * list.length)
  return list[Math.max(0, Math.floor(part * list.length) - earlier)] as T
}

function by(actor: Actor, action: AuditEvent['action'], about: Partial<Story> = {}): Story {
  return {
    action,
    outcome: 'success',
    organisationId: actor.organisationId,
    actorId: actor.id,
    actorOrganisationId: actor.organisationId,
    ...about,
    details: {
      client: actor.clientId,
      requestId: actor.clientId,
      method: 'GET',
      route: '/v1/records/:record/content',
      address: actor.address,
      userAgent: 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0'
    }
  }
}

/** Two events, which come one after the other here. */
function reading(actor: Actor, about: Partial<Story>): Story[] {
  const granted = by(actor, 'content.read', { ...about, outcome: 'granted' })
  return [granted, { ...granted, outcome: 'complete', completes: true, bytesHandedOver: 524_288 }]
}

const refused = (story: Partial<Story> & Pick<Story, 'action'>, code: string): Story => ({
  details: { method: 'GET', route: '/v1/cases/:case', address: '10.99.0.1' },
  ...story,
  outcome: 'refused',
  code
})

const ofCase = ({ organisationId, id, patientRef }: Case) => ({
  organisationId,
  caseId: id,
  patientRef
})
const ofRecord = (about: Case) => ({
  ...ofCase(about),
  recordId: about.recordId,
  objectId: about.objectId
})
const ofShare = ({ id, about, specialist }: Share) => ({
  ...ofCase(about),
  shareId: id,
  recipientCountry: specialist.country
})
