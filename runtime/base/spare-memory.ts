/** A process that rests gives back what V8 holds beyond its need: `spare-memory-state.ts` says when, this does it. */
import { getHeapStatistics } from 'node:v8'
import { systemClock } from './clock.ts'
import { keepLast } from './compiled-script.ts'
import { systemRandom } from './random.ts'
import { SpareMemoryState } from './spare-memory-state.ts'
import { setImmediate } from './timers.ts'

/**
 * At most once in `pauseMs`. `trim` gives back what the C library holds beyond its need. `isBusy`: whether something is
 * under way of which `work` and `rest` are not told.
 */
export function spareMemory(pauseMs: number, trim: () => void, isBusy: () => boolean = () => false): SpareMemoryState {
  const giveBack = (done: () => void): void =>
    void giveMemoryBack(() => {
      trim()
      done()
    })
  const parts = { clock: systemClock, random: systemRandom, cpuMs, heap, giveBack }
  return new SpareMemoryState({ ...parts, isBusy, pauseMs })
}

/** Of all its threads: event loop utilization would tell of one, and takes 0.1 MB to load. */
function cpuMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

function heap(): { readonly heldBytes: number; readonly usedBytes: number } {
  const { total_physical_size: heldBytes, used_heap_size: usedBytes } = getHeapStatistics()
  return { heldBytes, usedBytes }
}

/**
 * What V8 does when memory is low, in one of the next turns of the event loop; `done` is called after it. Of what Node
 * offers only the inspector asks for that: `gc` leaves the heap as large as it is. Takes 15 to 40 ms for a heap of 5 to
 * 10 MB. Not done, and false, in a thread, whose process has other heaps at which nobody looked; while a debugger may be
 * attached, which would see it; and where there is no inspector, or it may not be used.
 */
export function giveMemoryBack(done: () => void): boolean {
  const inspector = process.getBuiltinModule('node:inspector') as typeof import('node:inspector') | undefined
  if (inspector === undefined || inspector.url() !== undefined) return false
  if (!process.getBuiltinModule('node:worker_threads').isMainThread) return false
  keepLast()
  try {
    const session = new inspector.Session()
    session.connect()
    session.post('HeapProfiler.collectGarbage', () =>
      // A session that ends takes along what it has asked for; and here it is still in the midst of that.
      setImmediate(() => {
        session.disconnect()
        done()
      }),
    )
    return true
  } catch {
    return false
  }
}
