import type { CaseState } from '../../schemas/case.ts'

/** Where a case stands by itself. `shared` is what a live share makes of the first two. */
export const standings = ['draft', 'complete', 'opinion-received', 'closed'] as const
export type Standing = (typeof standings)[number]

interface Rule {
  from: readonly Standing[]
  /** `same` leaves it where it stands; `before` is where it stood when it was closed. */
  to: Standing | 'same' | 'before'
  /** Whether a share of the case must be live, or none may be. */
  shares?: 'live' | 'none'
}

/**
 * Every move a case can make, and from where. Nothing else is possible.
 *
 * Complete is said once: what is added, changed or grows too old later does not undo it, because the
 * turnaround clock runs from there; whether anything is missing *now* is asked at each share. Closed
 * may be undone, because people close the wrong case; what closing withdrew stays withdrawn.
 */
export const moves = {
  complete: { from: ['draft'], to: 'complete' },
  share: { from: ['draft', 'complete', 'opinion-received'], to: 'same' },
  withdraw: { from: ['draft', 'complete', 'opinion-received'], to: 'same' },
  opinion: {
    from: ['draft', 'complete', 'opinion-received'],
    to: 'opinion-received',
    shares: 'live'
  },
  close: { from: ['draft', 'complete', 'opinion-received'], to: 'closed', shares: 'none' },
  reopen: { from: ['closed'], to: 'before' }
} as const satisfies Record<string, Rule>

export type Move = keyof typeof moves
export const moveNames = Object.keys(moves) as Move[]

/** What a move asks for: the table above, in a type that does not know its rows apart. */
export const ruleOfMove = (move: Move): Rule => moves[move]

/** The part of a row of `case_requests` that says where its case stands. */
export interface Standpoint {
  state: string
  completedAt: number | null
  opinionAt: number | null
}

/** Throws for a state that a newer release has stored. */
export function standingOf(row: Pick<Standpoint, 'state'>): Standing {
  const standing = standings.find(name => name === row.state)
  if (standing === undefined) throw new Error('The database holds a state this release lacks.')
  return standing
}

/** Where a case stands for whoever looks: `sharesLive` of its shares have not ended. */
export function caseState(row: Pick<Standpoint, 'state'>, sharesLive: number): CaseState {
  const standing = standingOf(row)
  const sharing = standing === 'draft' || standing === 'complete'
  return sharing && sharesLive > 0 ? 'shared' : standing
}

/** Where a move leads, from a standing that it may start from. */
export function destinationOf(move: Move, row: Standpoint): Standing {
  const { to } = ruleOfMove(move)
  if (to === 'same') return standingOf(row)
  if (to !== 'before') return to
  if (row.opinionAt !== null) return 'opinion-received'
  return row.completedAt === null ? 'draft' : 'complete'
}

/** Whether a case that stands there may make a move. */
export function isPossible(move: Move, standing: Standing, sharesLive: number): boolean {
  const { from, shares } = ruleOfMove(move)
  if (!from.includes(standing)) return false
  if (shares === undefined) return true
  return shares === 'live' ? sharesLive > 0 : sharesLive === 0
}

/** What may be done next, for the one who may not do what they wanted. */
export function possibleMoves(standing: Standing, sharesLive: number): Move[] {
  // Nothing is withdrawn where nothing is shared.
  const seen = moveNames.filter(move => move !== 'withdraw' || sharesLive > 0)
  return seen.filter(move => isPossible(move, standing, sharesLive))
}
