/** Proportional set size of a process and its descendants, from /proc: shared pages count once, divided by who has them. */
import { readdirSync, readFileSync } from 'node:fs'

function childrenOf(pid) {
  const threads = readdirSync(`/proc/${pid}/task`)
  return threads.flatMap((thread) =>
    readFileSync(`/proc/${pid}/task/${thread}/children`, 'latin1').split(' ').filter(Boolean).map(Number),
  )
}

function treeOf(pid) {
  return [pid, ...childrenOf(pid).flatMap(treeOf)]
}

function pssKiB(pid) {
  return Number(/^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1'))?.[1] ?? 0)
}

export function memoryOfTree(pid) {
  const pids = treeOf(pid)
  return { mebibytes: pids.reduce((sum, each) => sum + pssKiB(each), 0) / 1024, processes: pids.length }
}
