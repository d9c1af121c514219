/**
 * What a test may leave behind: nothing. A snapshot is taken when the run starts; `assertNoLeaks` compares with it and
 * waits a moment first, because processes and sockets end a little after the call that ends them.
 */
import { readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import { descendantsOf, describeProcess, parentOf, processesMarked } from './processes.mjs'

/** How long an end may take before it is called a leak. */
const settleLimitMs = 10_000
const pollMs = 50

/** Caches of the tools that run the tests. */
const foreignFiles: RegExp = /^(tsx-|node-compile-cache|v8-compile-cache)/
/** Resources that come and go with any code: work in progress, not something held open. */
const transientResources: ReadonlySet<string> = new Set([
  'Immediate',
  'TTYWrap',
  'FSReqCallback',
  'FSReqPromise',
  'CloseReq',
])

export interface Snapshot {
  readonly processes: ReadonlySet<number>
  readonly files: ReadonlySet<string>
  readonly resources: ReadonlyMap<string, number>
}

function runMark(): string {
  const mark = process.env['OUTPOOL_TEST_RUN']
  if (mark === undefined)
    throw new Error('OUTPOOL_TEST_RUN is not set; the root hooks set it before anything is started')
  return mark
}

/**
 * The service by which the loader of the tests compiles what it has not in its cache: it lives as long as this process, or
 * as the thread that loads with it; where that ended first, nobody is left to take note of its end.
 */
function isCompiler(pid: number): boolean {
  return parentOf(pid) === process.pid && /\/esbuild --service=|zombie esbuild$/.test(describeProcess(pid))
}

function list(folder: string, isOurs: (name: string) => boolean): string[] {
  try {
    return readdirSync(folder)
      .filter(isOurs)
      .map((name) => join(folder, name))
  } catch {
    return []
  }
}

function countResources(): Map<string, number> {
  const counts = new Map<string, number>()
  for (const type of process.getActiveResourcesInfo()) {
    if (!transientResources.has(type)) counts.set(type, (counts.get(type) ?? 0) + 1)
  }
  return counts
}

/** What there is now: processes of this run, files in its temporary folder and in shared memory, open handles. */
export function takeSnapshot(): Snapshot {
  return {
    processes: new Set([...descendantsOf(process.pid), ...processesMarked(runMark())]),
    files: new Set([
      ...list(tmpdir(), (name) => !foreignFiles.test(name)),
      ...list('/dev/shm', (name) => name.startsWith('outpool-')),
    ]),
    resources: countResources(),
  }
}

/** One line for each thing that is there now and was not there in `before`. */
export function findLeaks(before: Snapshot): string[] {
  const now = takeSnapshot()
  const leaks: string[] = []
  for (const pid of now.processes)
    if (!before.processes.has(pid) && !isCompiler(pid)) leaks.push(`process ${describeProcess(pid)}`)
  for (const file of now.files) if (!before.files.has(file)) leaks.push(`file ${file}`)
  for (const [type, count] of now.resources) {
    const more = count - (before.resources.get(type) ?? 0)
    if (more > 0) leaks.push(`${more} open ${type} in this process`)
  }
  return leaks
}

/** Throws a list of what is left behind since `before`, when it has not gone within ten seconds. */
export async function assertNoLeaks(before: Snapshot): Promise<void> {
  const deadline = performance.now() + settleLimitMs
  await nextTurn()
  let leaks = findLeaks(before)
  while (leaks.length > 0 && performance.now() < deadline) {
    await sleep(pollMs)
    leaks = findLeaks(before)
  }
  if (leaks.length > 0) throw new Error(`left behind:\n  ${leaks.join('\n  ')}`)
}
