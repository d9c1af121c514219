/** Runs histories of answers that are left in shared memory, by seed. */
import { play, type Counts, type Finding } from '../seeds.ts'
import { AnswersWorld } from './world.ts'

export function runAnswers(seed: number, counts?: Counts): Promise<Finding | undefined> {
  return play(seed, new AnswersWorld(seed), counts)
}
