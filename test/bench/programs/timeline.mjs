/** Where the time of the workers goes while they work on many tasks: into these, before, between and behind them. */
import { machineMs } from './tasks.mjs'

/**
 * Shares of the time of all workers. `run` resolves to what `timedBurn` said of each task; a worker that had none was
 * idle from the beginning.
 */
export async function timelineOf(workers, run) {
  const start = machineMs()
  const tasks = await run()
  const end = machineMs()
  const byWorker = new Map()
  for (const [worker, begin, finish] of tasks) {
    const known = byWorker.get(worker) ?? { first: begin, last: finish, busy: 0 }
    known.first = Math.min(known.first, begin)
    known.last = Math.max(known.last, finish)
    known.busy += finish - begin
    byWorker.set(worker, known)
  }
  const shareOf = (pick) =>
    [...byWorker.values()].reduce((sum, each) => sum + pick(each), 0) / (workers * (end - start))
  return {
    before: shareOf(({ first }) => first - start) + (workers - byWorker.size) / workers,
    between: shareOf(({ first, last, busy }) => last - first - busy),
    behind: shareOf(({ last }) => end - last),
    tasksMs: tasks.reduce((sum, [, begin, finish]) => sum + finish - begin, 0),
  }
}
