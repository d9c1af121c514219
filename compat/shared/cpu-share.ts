/**
 * What part of a CPU each of `workers` asks for, so that all of them stand at once. In a cluster a whole one where there
 * are enough, else an equal share (an explicit number of workers is kept, as the original keeps it); resources are
 * counted in 1/10,000. On one machine nothing: pools share it as processes do, however many there are. Pure.
 */
export function cpuShare(workers: number, cpus: number, local: boolean): number {
  if (local) return 0
  if (workers <= cpus || cpus <= 0) return 1
  return Math.max(1, Math.floor((cpus * 10_000) / workers)) / 10_000
}
