/** What of its machine this process may use: a container, a service or a job of a batch system may be given less. */
import { readFileSync } from 'node:fs'
import { availableParallelism, totalmem } from 'node:os'
import { controlGroups } from './control-groups.ts'

/** Of a file of the system; '' where it cannot be read. */
export type ReadText = (file: string) => string

/** Memory in bytes, and no more than the machine has. Node itself does not look at the groups around that of the process. */
export function usableMemory(): number {
  // 0, or beyond the machine, where nothing limits it.
  const limitBytes = process.constrainedMemory()
  const own = limitBytes > 0 ? limitBytes : Infinity
  return Math.min(totalmem(), own, groupMemory(readText('/proc/self/cgroup'), readText))
}

/**
 * CPUs: those that the process may run on, or as many as its quota pays for, rounded down; at least one. Node 20 does not
 * look at quotas, and later ones not at those of control groups of version 1.
 */
export function usableCpus(): number {
  const quota = groupCpus(readText('/proc/self/cgroup'), readText)
  return Math.max(1, Math.min(availableParallelism(), Math.floor(quota)))
}

/** Whether a quota limits how much CPU time this process gets. */
export function hasCpuQuota(): boolean {
  return groupCpus(readText('/proc/self/cgroup'), readText) < Infinity
}

/**
 * Bytes that the control groups around a process leave it; Infinity where they have no limit.
 * @param groups what /proc/self/cgroup says.
 */
export function groupMemory(groups: string, read: ReadText): number {
  let most = Infinity
  for (const { folder, version } of controlGroups(groups, 'memory')) {
    const text = read(`${folder}/${version === 2 ? 'memory.max' : 'memory.limit_in_bytes'}`)
    const bytes = Number.parseInt(text, 10)
    // A group that was given nothing holds nothing: the limit is of a group without processes.
    if (bytes > 0 && bytes < most) most = bytes
  }
  return most
}

/**
 * CPUs that the control groups around a process pay for, fractions too; Infinity where they have no quota.
 * @param groups what /proc/self/cgroup says.
 */
export function groupCpus(groups: string, read: ReadText): number {
  let most = Infinity
  for (const { folder, version } of controlGroups(groups, 'cpu')) {
    const text =
      version === 2
        ? read(`${folder}/cpu.max`)
        : `${read(`${folder}/cpu.cfs_quota_us`).trim()} ${read(`${folder}/cpu.cfs_period_us`)}`
    // `150000 100000`: microseconds of CPU time in each period; `max` or -1 where there is no quota.
    const [quota = 0, period = 0] = text.split(' ').map((word) => Number.parseInt(word, 10))
    if (quota > 0 && period > 0) most = Math.min(most, quota / period)
  }
  return most
}

/** '' where it cannot be read. */
export function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}
