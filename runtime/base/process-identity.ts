/** Whether a process that was noted down once is still that process: pids are used again, and differ between containers. */
import { readFileSync, readlinkSync } from 'node:fs'
import { hostname } from 'node:os'

/** A process as it is noted down. Fields are '' where the platform does not tell (no /proc). */
export interface ProcessNote {
  readonly pid: number
  /** When it started, in the kernel's ticks since boot. */
  readonly pidStart: string
  /** The boot of the machine and the pid namespace in which `pid` means something, and the machine. */
  readonly pidSpace: string
}

export function noteProcess(pid: number): ProcessNote {
  return { pid, pidStart: processStart(pid), pidSpace: ownSpace() }
}

/**
 * `elsewhere`: in another container, or on another machine that shares the folder of the note, where it cannot be asked
 * for. What this machine noted before it was booted is dead, and so is a zombie.
 */
export function stateOfProcess({ pid, pidStart, pidSpace }: ProcessNote): 'alive' | 'dead' | 'elsewhere' {
  if (!Number.isSafeInteger(pid) || pid <= 0) return 'dead'
  const [boot, namespace, machine] = pidSpace.split(' ')
  const [ownBoot, ownNamespace, ownMachine] = ownSpace().split(' ')
  if (boot !== '' && ownBoot !== '') {
    if (boot !== ownBoot) return machine === undefined || machine === ownMachine ? 'dead' : 'elsewhere'
    if (namespace !== ownNamespace) return 'elsewhere'
  }
  try {
    process.kill(pid, 0)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return 'dead'
  }
  const stat = statFields(pid)
  if (stat[0] === 'Z' || stat[0] === 'X') return 'dead'
  return pidStart === '' || stat[19] === undefined || stat[19] === pidStart ? 'alive' : 'dead'
}

/** What tells this zombie from a later one of that number; undefined where it is none, or no child of that parent. */
export function noteZombie(pid: number, parent: number): string | undefined {
  const stat = statFields(pid)
  return stat[0] === 'Z' && Number(stat[1]) === parent ? `${pid} ${stat[19]}` : undefined
}

function processStart(pid: number): string {
  return statFields(pid)[19] ?? ''
}

/** The fields of /proc/<pid>/stat after the process's name, which is in parentheses and may hold anything. */
function statFields(pid: number): string[] {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  } catch {
    return []
  }
}

let space: string | undefined

function ownSpace(): string {
  try {
    space ??= `${textOf('/proc/sys/kernel/random/boot_id')} ${readlinkSync('/proc/self/ns/pid')} ${ownMachine()}`
  } catch {
    space = ''
  }
  return space
}

/** A copied disk has the number of its original, and names are given twice. */
function ownMachine(): string {
  let id = ''
  try {
    id = textOf('/etc/machine-id')
  } catch {
    // A container often has none.
  }
  return `${encodeURIComponent(hostname())}/${id}`
}

function textOf(path: string): string {
  return readFileSync(path, 'latin1').trim()
}
