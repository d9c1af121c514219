/**
 * A daemon that is the first process of its container (PID 1) is given the processes that others leave behind: what a task
 * started in the background, say, and did not wait for. Node lets go of its own children alone, so each of those stayed when
 * it had ended, as a zombie, which counts as a process: until no more are allowed, and no worker starts.
 */
import { readdirSync } from 'node:fs'
import { setTimeout } from '../base/timers.ts'
import { noteZombie } from '../base/process-identity.ts'
import { nativeMemory } from '../objects/native-memory.ts'

const lookMs = 10_000

/**
 * Lets go, for as long as this process lives, of children that ended and that nobody waits for. Node's own are no longer
 * there at the second look: it waits for them whenever it is told that one has ended. Nothing where the C library cannot
 * be called.
 */
export function reapOrphans(everyMs: number = lookMs): void {
  let before = new Set<string>()
  const look = (): void => {
    const zombies = new Set<string>()
    for (const name of processes()) {
      const zombie = noteZombie(Number(name), process.pid)
      if (zombie === undefined) continue
      if (before.has(zombie)) nativeMemory()?.reap(Number(name))
      else zombies.add(zombie)
    }
    before = zombies
    setTimeout(look, everyMs).unref()
  }
  setTimeout(look, everyMs).unref()
}

function processes(): string[] {
  try {
    return readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  } catch {
    return []
  }
}
