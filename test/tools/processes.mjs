/**
 * Finds the processes of one test run, through /proc. A run has an id, and a temporary folder whose path contains it:
 * whatever the run starts carries one of them in its environment, its command line or the files that it holds open, even
 * when its parent is gone and its environment was cleaned.
 */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

function read(path) {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    // The process ended meanwhile, or belongs to another user.
    return ''
  }
}

function openFiles(pid) {
  try {
    return readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`))
  } catch {
    return []
  }
}

/**
 * The command line of a process, with its state when it is a zombie.
 * @param {number} pid
 * @returns {string}
 */
export function describeProcess(pid) {
  const command = read(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim()
  const [, name = '?', state = '?'] = /\((.*)\) (\S)/s.exec(read(`/proc/${pid}/stat`)) ?? []
  return `${pid} ${state === 'Z' ? `zombie ${name}` : command || name}`
}

/**
 * Whether a process has not ended. One that has is still listed until its parent has read of it, which it may never do.
 * @param {number} pid
 * @returns {boolean}
 */
export function isAlive(pid) {
  const [, state] = /\) (\S) /.exec(read(`/proc/${pid}/stat`)) ?? []
  return state !== undefined && state !== 'Z'
}

/**
 * The process that started it; 0 when it is gone.
 * @param {number} pid
 * @returns {number}
 */
export function parentOf(pid) {
  return Number(/\) \S (\d+)/.exec(read(`/proc/${pid}/stat`))?.[1] ?? 0)
}

/**
 * The living descendants of a process, zombies too.
 * @param {number} pid
 * @returns {number[]}
 */
export function descendantsOf(pid) {
  let threads = []
  try {
    threads = readdirSync(`/proc/${pid}/task`)
  } catch {
    return []
  }
  const children = threads.flatMap((thread) => read(`/proc/${pid}/task/${thread}/children`).split(' ').filter(Boolean))
  return children.map(Number).flatMap((child) => [child, ...descendantsOf(child)])
}

/**
 * Every process, this one and its ancestors apart, that carries `mark`.
 * @param {string} mark
 * @returns {number[]}
 */
export function processesMarked(mark) {
  const own = new Set([process.pid])
  for (let pid = process.pid; pid > 1;) {
    pid = parentOf(pid)
    own.add(pid)
  }
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name) && !own.has(Number(name)))
  return pids
    .filter(
      (pid) =>
        read(`/proc/${pid}/environ`).includes(mark) ||
        read(`/proc/${pid}/cmdline`).includes(mark) ||
        openFiles(pid).some((file) => file.includes(mark)),
    )
    .map(Number)
}
