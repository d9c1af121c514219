/**
 * The schedule that a pool without any overhead would make: in the order of submission each task goes to the worker that
 * is free first (list scheduling: Graham, "Bounds on multiprocessing timing anomalies", 1969).
 */
export interface GreedySchedule {
  /** When the last task ends, in the unit of the durations. */
  readonly makespan: number
  /** The indices of the tasks of each worker, in the order in which it runs them. */
  readonly lists: readonly (readonly number[])[]
}

export function greedySchedule(durations: readonly number[], workers: number): GreedySchedule {
  const freeAt = new Array<number>(workers).fill(0)
  const lists: number[][] = Array.from({ length: workers }, () => [])
  durations.forEach((duration, task) => {
    const worker = freeAt.indexOf(Math.min(...freeAt))
    freeAt[worker] = (freeAt[worker] ?? 0) + duration
    lists[worker]?.push(task)
  })
  return { makespan: Math.max(0, ...freeAt), lists }
}
