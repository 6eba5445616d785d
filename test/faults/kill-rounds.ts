import type { Test } from 'tap'
import type { RealService } from './real-service.ts'

/** How often the service is killed. */
export const ROUNDS = process.env.SLOW === '1' ? 200 : 20

/** The latest moment of a kill. By then each worker has done its work several times. */
const KILL_MILLISECONDS_MAX = 400

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
 * moment, starts it on the same data, and has every story look at what is there.
 */
export async function killRounds(service: RealService, stories: KillStory[]): Promise<void> {
  for (let round = 0; round < ROUNDS; round += 1) {
    let killed = false
    const untilKilled = async (work: () => Promise<void>) => {
      // What is under way when the service is killed fails; what was acknowledged has been noted.
      while (!killed) await work().catch(() => {})
    }
    const ended = stories.flatMap(({ workers }) => workers.map(untilKilled))
    await new Promise(resolve => setTimeout(resolve, Math.random() * KILL_MILLISECONDS_MAX))
    killed = true
    await service.kill()
    await Promise.all(ended)
    await service.start()
    for (const story of stories) await story.look()
  }
}
