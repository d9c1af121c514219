/** CPU time of other processes, from /proc; where there is none it is not known (NaN). */
import { readdirSync, readFileSync } from 'node:fs'

/** One tick of the fields of /proc/<pid>/stat: 1/100 s on every Linux. */
const tickMs = 10

/** Of a process itself, and of all that it started, those that have ended included. NaN when it is gone. */
export function cpuMsOf(pid) {
  const ticks = ticksOf(pid)
  if (ticks === undefined) return { ownMs: NaN, childrenMs: NaN }
  return { ownMs: ticks.own * tickMs, childrenMs: (ticks.ended + livingChildrenTicks(pid)) * tickMs }
}

function ticksOf(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    // The name in parentheses may hold blanks; the fields are counted behind it, from the third.
    const fields = stat
      .slice(stat.lastIndexOf(')') + 2)
      .split(' ')
      .map(Number)
    return { own: fields[11] + fields[12], ended: fields[13] + fields[14] }
  } catch {
    return undefined
  }
}

function livingChildrenTicks(pid) {
  let total = 0
  for (const child of childrenOf(pid)) {
    const ticks = ticksOf(child)
    if (ticks !== undefined) total += ticks.own + ticks.ended + livingChildrenTicks(child)
  }
  return total
}

function childrenOf(pid) {
  try {
    const threads = readdirSync(`/proc/${pid}/task`)
    return threads.flatMap((thread) =>
      readFileSync(`/proc/${pid}/task/${thread}/children`, 'latin1').split(' ').filter(Boolean).map(Number),
    )
  } catch {
    return []
  }
}
