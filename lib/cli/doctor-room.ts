/** What `outpool doctor` checks of the room on this machine: disks, and memory. */
import { accessSync, constants, statfsSync } from 'node:fs'
import { dirname } from 'node:path'
import { findOutpoolHome, noHomeText } from '../../runtime/base/home-folder.ts'
import { controlGroups } from '../../runtime/base/control-groups.ts'
import { readText } from '../../runtime/base/usable.ts'
import { runFoldersRoot } from '../../runtime/cluster/run-folder.ts'
import type { Finding } from './doctor-machine.ts'
import { byteText } from './tables.ts'

interface Needs {
  /** In bytes: below the first nothing works, below the second it may not for long. */
  readonly bytes: readonly [least: number, enough: number]
  /** What it is for, and what to do. */
  readonly advice: string
}

const mebibyte = 1024 ** 2
/** Files and folders: a node has some dozens, and a few for each worker. */
const inodes: readonly [least: number, enough: number] = [200, 5_000]
const leastMemoryBytes = 128 * mebibyte
const enoughMemoryBytes = 512 * mebibyte

const temporary: Needs = {
  bytes: [100 * mebibyte, 1024 * mebibyte],
  advice: 'Large values lie there while they are used: free some space, or set TMPDIR to a larger disk.',
}
const home: Needs = {
  bytes: [mebibyte, 100 * mebibyte],
  advice:
    'The token, logs and the tables of a head are kept there: free some space, or set OUTPOOL_HOME to another disk.',
}

export function roomFindings(): Finding[] {
  const folder = findOutpoolHome()
  const ofHome: Finding =
    folder === undefined
      ? { check: 'home', state: 'failure', found: noHomeText(), advice: '' }
      : diskFinding('home', folder, home)
  return [diskFinding('temporary folder', dirname(runFoldersRoot()), temporary), ofHome, memory()]
}

function diskFinding(check: string, folder: string, { bytes, advice }: Needs): Finding {
  try {
    const place = existing(folder)
    accessSync(place, constants.W_OK | constants.X_OK)
    const { bavail, bsize, files, ffree } = statfsSync(place)
    const free = bavail * bsize
    // Some file systems do not count them.
    const hasCount = files > 0
    const states = [stateOf(free, bytes), hasCount ? stateOf(ffree, inodes) : 'ok'] as const
    const state = states.find((one) => one === 'failure') ?? states.find((one) => one === 'warning') ?? 'ok'
    const left = states[1] === 'ok' ? '' : `, ${ffree} more files`
    return { check, state, found: `${folder}, ${byteText(free)}${left} free`, advice: state === 'ok' ? '' : advice }
  } catch (error) {
    return { check, state: 'failure', found: (error as Error).message, advice: `It must be writable. ${advice}` }
  }
}

function stateOf(free: number, [least, enough]: readonly [number, number]): Finding['state'] {
  return free < least ? 'failure' : free < enough ? 'warning' : 'ok'
}

/** The folder, or that in which it will be made. */
function existing(folder: string): string {
  for (let place = folder; ; place = dirname(place)) {
    try {
      accessSync(place)
      return place
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code !== 'ENOENT' || dirname(place) === place) throw error
    }
  }
}

function memory(): Finding {
  const check = 'memory'
  const free = freeMemory(readText('/proc/self/cgroup'), readText)
  if (free === undefined) return { check, state: 'ok', found: 'the system does not tell how much is free', advice: '' }
  const { bytes, limitBytes } = free
  const of = limitBytes === undefined ? '' : `, of ${byteText(limitBytes)} that the control group may have`
  const state = stateOf(bytes, [leastMemoryBytes, enoughMemoryBytes])
  const advice =
    'A node, a program and each worker take some 50 to 80 MiB, values come on top: give more (--memory of the container, ' +
    'MemoryMax= of the service), or start the node with a smaller --num-cpus and --object-store-memory.'
  return { check, state, found: `${byteText(bytes)} free${of}`, advice: state === 'ok' ? '' : advice }
}

interface FreeMemory {
  readonly bytes: number
  /** Of the control group that leaves the least, a container's or a service's; undefined where that is the machine. */
  readonly limitBytes?: number
}

/** Of a version of control groups: its files, and what it counts but gives back when asked. */
const files = {
  1: { most: 'memory.limit_in_bytes', used: 'memory.usage_in_bytes', cached: 'total_inactive_file' },
  2: { most: 'memory.max', used: 'memory.current', cached: 'inactive_file' },
} as const

/**
 * Memory that this process may still take: what the machine has, or what a control group around it leaves.
 * @param groups what /proc/self/cgroup says.
 */
export function freeMemory(groups: string, read: (file: string) => string): FreeMemory | undefined {
  const machine = /^MemAvailable: +(\d+) kB$/m.exec(read('/proc/meminfo'))?.[1]
  let free: FreeMemory | undefined = machine === undefined ? undefined : { bytes: Number(machine) * 1024 }
  for (const { folder, version } of controlGroups(groups, 'memory')) {
    const { most, used, cached } = files[version]
    const limitBytes = Number.parseInt(read(`${folder}/${most}`), 10)
    const usedBytes = Number.parseInt(read(`${folder}/${used}`), 10)
    const cachedBytes = Number(new RegExp(`^${cached} (\\d+)$`, 'm').exec(read(`${folder}/memory.stat`))?.[1] ?? 0)
    const bytes = Math.max(0, limitBytes - usedBytes + cachedBytes)
    if (bytes < (free?.bytes ?? Infinity)) free = { bytes, limitBytes }
  }
  return free
}
