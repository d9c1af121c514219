/**
 * What part of a CPU each of `workers` asks for, so that all of them stand at once: a whole one where there are
 * enough, else an equal share (an explicit number of workers is kept, as the original keeps it). Resources are counted
 * in 1/10,000. Pure.
 */
export function cpuShare(workers: number, cpus: number): number {
  if (workers <= cpus || cpus <= 0) return 1
  return Math.max(1, Math.floor((cpus * 10_000) / workers)) / 10_000
}
