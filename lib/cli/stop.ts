/** `outpool stop`: ends the nodes that this user started on this machine. */
import { setTimeout as sleep } from 'node:timers/promises'
import { endedRecords, listRecords, recordPath, removeRecord } from '../../runtime/cluster/node-records.ts'
import type { NodeRecord } from '../../runtime/cluster/node-records.ts'
import { stateOfProcess } from '../../runtime/base/process-identity.ts'
import { removeStaleRunFolders } from '../../runtime/cluster/run-folder.ts'
import { howItEnded } from './cluster-address.ts'
import { CommandError, exitCodes } from './exit-codes.ts'

export interface StopFlags {
  readonly node?: string
  readonly force?: boolean
  readonly json?: boolean
}

/** To stop in order once nothing runs any more. */
const orderlyMs = 5_000
const killedMs = 5_000
const pollMs = 25

export async function stop(flags: StopFlags): Promise<void> {
  const all = listRecords()
  const chosen = flags.node === undefined ? all : all.filter(({ id }) => id.startsWith(flags.node ?? ''))
  if (flags.node !== undefined && chosen.length !== 1)
    throw new CommandError(
      chosen.length === 0
        ? `no node ${flags.node} was started by you on this machine; there are: ${names(all)}`
        : `${flags.node} is not one node but ${chosen.length}: ${names(chosen)}`,
      all.length === 0 ? exitCodes.noCluster : chosen.length === 0 ? exitCodes.failure : exitCodes.usage,
    )
  if (flags.node === undefined) tellEnded()
  if (chosen.length === 0 && !flags.json) return console.log('No node of yours runs on this machine.')
  const elsewhere = chosen.filter((record) => stateOfProcess(record) === 'elsewhere')
  const here = chosen.filter((record) => !elsewhere.includes(record))
  // The head last: the others then leave it in order.
  const others = here.filter(({ head }) => !head)
  const heads = here.filter(({ head }) => head)
  const ends = [await end(others, flags), await end(heads, flags)]
  removeStaleRunFolders()
  const stopped = ends.flatMap((one) => one.stopped)
  const slow = ends.flatMap((one) => one.left)
  const left = [...slow, ...elsewhere]
  if (flags.json) console.log(JSON.stringify({ stopped: stopped.map(facts), left: left.map(facts) }, undefined, 2))
  const problems = elsewhere.map(
    ({ id, pid }) =>
      `node ${id} runs in another container, or on another machine (pid ${pid} there): stop it from there; where that is gone, remove ${recordPath(id)}`,
  )
  if (slow.length > 0)
    problems.push(
      `still there after ${patienceMs(slow) / 1000} s: ${names(slow)}; end ${slow.length === 1 ? 'it' : 'them'} with outpool stop --force`,
    )
  if (problems.length > 0) throw new CommandError(problems.join('\n'))
}

/** Nodes that ended by themselves are told of here for the last time. */
function tellEnded(): void {
  for (const record of endedRecords()) {
    console.error(howItEnded(record))
    removeRecord(record.id)
  }
}

/** What became of them; one that ended by itself meanwhile is in neither. */
async function end(
  records: readonly NodeRecord[],
  { force = false, json }: StopFlags,
): Promise<{ stopped: NodeRecord[]; left: NodeRecord[] }> {
  const signalled = records.filter((record) => signal(record, force ? 'SIGKILL' : 'SIGTERM'))
  const endsAtMs = performance.now() + (force ? killedMs : patienceMs(signalled))
  let left = signalled.filter(runs)
  while (left.length > 0 && performance.now() < endsAtMs) {
    await sleep(pollMs)
    left = left.filter(runs)
  }
  const stopped = signalled.filter((record) => !left.includes(record))
  for (const record of stopped) {
    removeRecord(record.id)
    if (json) continue
    console.log(
      `${force ? 'Killed' : 'Stopped'} ${record.head ? 'the head, ' : ''}node ${record.id} at ${record.url} (pid ${record.pid})`,
    )
  }
  return { stopped, left }
}

function facts({ id, url, head, pid }: NodeRecord): Readonly<Record<string, unknown>> {
  return { id, url, head, pid }
}

/** A node lets its work end first. */
function patienceMs(records: readonly NodeRecord[]): number {
  return orderlyMs + Math.max(0, ...records.map(({ drainMs }) => drainMs ?? 10_000))
}

/** False when it ended by itself meanwhile. */
function signal(record: NodeRecord, name: 'SIGTERM' | 'SIGKILL'): boolean {
  try {
    process.kill(record.pid, name)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false
    throw new CommandError(`node ${record.id} (pid ${record.pid}) cannot be stopped: ${(error as Error).message}`)
  }
}

function runs(record: NodeRecord): boolean {
  return stateOfProcess(record) === 'alive'
}

function names(records: readonly NodeRecord[]): string {
  return records.length === 0 ? 'none' : records.map(({ id, pid }) => `${id} (pid ${pid})`).join(', ')
}
