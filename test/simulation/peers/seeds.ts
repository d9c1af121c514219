/** Runs histories of links that break, by seed. */
import { play, type Counts, type Finding } from '../seeds.ts'
import { PeerWorld } from './world.ts'

export function runPeers(seed: number, counts?: Counts): Promise<Finding | undefined> {
  return play(seed, new PeerWorld(seed), counts)
}
