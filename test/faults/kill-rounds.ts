import { setTimeout as sleep } from 'node:timers/promises'
import type { Test } from 'tap'
import { TEST_DATABASE } from '../helpers/databases.ts'
import type { RealService } from './real-service.ts'

const FEW_ROUNDS = 8

/**
 * How often the service is killed. A round takes a second or two on a quiet machine. Those asked for are
 * on SQLite: the second run, on PostgreSQL, has few.
 */
export const ROUNDS =
  TEST_DATABASE === 'postgres' ? FEW_ROUNDS : Number(process.env.KILL_ROUNDS ?? FEW_ROUNDS)

/** The same while a file arrives by tus, on either database. */
export const UPLOAD_ROUNDS = Number(process.env.UPLOAD_KILL_ROUNDS ?? FEW_ROUNDS)

/** What a test of that many rounds may take where the machine has much else to do. */
export const roundsMillisecondsMax = (rounds: number) => 60_000 + rounds * 20_000

/** The latest moment of a kill. By then each worker has done its work several times. */
const KILL_MILLISECONDS_MAX = 400

/** By then something has gone wrong, and the stories will tell. */
const WORK_MILLISECONDS_MAX = 15_000

/** Something clients do all the time, and what must be true of it after every kill. */
export interface KillStory {
  /** Each does one thing; what fails because of a kill may be thrown. */
  workers: (() => Promise<void>)[]
  /** Looks at what is there after a start; fails the test when it is not what was acknowledged. */
  look(): Promise<void>
  /** Judges the whole, while the service still runs. */
  finish(): Promise<void>
}

export type BeginStory = (t: Test, service: RealService, caseId: string) => Promise<KillStory>

/**
 * Again and again: lets the workers of all stories repeat their work, kills the service at a random
 * moment, starts it on the same data, and has every story look at what is there. In every other round
 * each story comes to do something first, however slow the machine is.
 */
export async function killRounds(service: RealService, stories: KillStory[]): Promise<void> {
  for (let round = 0; round < ROUNDS; round += 1) {
    let killed = false
    const firsts = stories.map(() => Promise.withResolvers<void>())
    const untilKilled = async (work: () => Promise<void>, done: (() => void) | undefined) => {
      // What is under way when the service is killed fails; what was acknowledged has been noted.
      while (!killed) await work().then(done, () => {})
    }
    const ended = stories.flatMap(({ workers }, n) =>
      workers.map(work => untilKilled(work, firsts[n]?.resolve))
    )
    const done = Promise.all(firsts.map(({ promise }) => promise))
    if (round % 2 === 1) await Promise.race([done, sleep(WORK_MILLISECONDS_MAX)])
    await sleep(Math.random() * KILL_MILLISECONDS_MAX)
    killed = true
    await service.kill()
    await Promise.all(ended)
    await service.start()
    for (const story of stories) await story.look()
  }
}
