/**
 * What a worker process runs: `node entry.cjs <run folder> <worker id>`. Everything else is in the folder's node.json. The
 * build makes a CommonJS script of it, so nothing here may be what only an ES module has.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { monotonicMs } from '../base/clock.ts'
import { isProcessId } from '../base/ids.ts'
import { stateOfProcess } from '../base/process-identity.ts'
import { readStarting } from '../base/starting-file.ts'
import { setTimeout } from '../base/timers.ts'
import { workerOptions } from '../base/worker-options.ts'
import { workingFolder } from '../base/working-folder.ts'
import { expectKoffiAt } from '../objects/load-koffi.ts'
import { objectRefCodec } from '../owner/object-ref.ts'
import { chaosVariable } from '../transport/link-wrap.ts'
import { TokenFile } from '../transport/token-file.ts'
import type { TokenRing } from '../transport/tokens.ts'
import { startWorker } from './worker-process.ts'

const [runFolder = '', worker = '', folder] = process.argv.slice(2)
goFirst()
goTo(folder)
// User code sees the arguments of a program without any.
process.argv.splice(2)
// Threads and processes that it starts with its own options are to be as in any program.
process.execArgv.splice(0, process.execArgv.length, ...process.execArgv.filter((one) => !workerOptions.includes(one)))

/** How often it is looked whether the node is there, in milliseconds: more and more seldom. */
const pollMs = { first: 1, most: 250 }
/** The part of what it has waited that it waits until it looks again. */
const pollShare = 0.01

interface Facts {
  readonly id: unknown
  readonly token: unknown
  readonly accepted: unknown
  readonly url: unknown
  readonly koffi: unknown
}

const nodeFile = join(runFolder, 'node.json')
/** As they were read last. */
let facts: Facts

function tokens(): TokenRing {
  facts = JSON.parse(readFileSync(nodeFile, 'utf8')) as Facts
  const { token, accepted } = facts
  if (typeof token !== 'string' || !Array.isArray(accepted)) throw new Error(`there are no tokens in ${nodeFile}`)
  return { shown: token, accepted: accepted.map(String) }
}

/**
 * Where memory runs out, Linux ends the process that has most of it. That is soon the node manager, or a program in local
 * mode, which has all pages of the object store: everything there would end with it. With a worker, one task does.
 */
function goFirst(): void {
  try {
    writeFileSync('/proc/self/oom_score_adj', '1000')
  } catch {
    // Not on this system, or not in this container.
  }
}

/** Where the folder of its node has been removed, tasks are in one that is there. */
function goTo(wanted: string | undefined): void {
  try {
    process.chdir(wanted ?? workingFolder())
  } catch {
    process.chdir(workingFolder())
  }
}

/**
 * A worker may be started before its node manager stands: what it must know is written when that does. That may take as
 * long as it likes, a program that computes or a debugger that holds it; where nobody will write it, its parent is gone.
 */
async function whenWritten(): Promise<void> {
  if (existsSync(nodeFile)) return
  const parent = process.ppid
  const starting = readStarting(runFolder)
  // Its parent may have been gone before it could be asked for.
  if (starting !== undefined && stateOfProcess(starting) === 'dead') process.exit(0)
  const beganMs = monotonicMs()
  while (!existsSync(nodeFile)) {
    if (process.ppid !== parent || !existsSync(runFolder)) process.exit(0)
    const nextMs = pollShare * (monotonicMs() - beganMs)
    await new Promise((resolve) => setTimeout(resolve, Math.min(Math.max(nextMs, pollMs.first), pollMs.most)))
  }
}

async function start(): Promise<void> {
  await whenWritten()
  const token = new TokenFile(nodeFile, tokens)
  const { id, url, koffi } = facts
  if (!isProcessId(id) || !isProcessId(worker))
    throw new Error(`not a worker of the node whose run folder is ${JSON.stringify(runFolder)}`)
  if (typeof koffi === 'string' && koffi !== '') expectKoffiAt(koffi)
  // Before the first link.
  if (process.env[chaosVariable] === '1') (await import('../transport/chaos.ts')).allowChaos()
  await startWorker({ worker, node: id, runFolder, token, local: url === '', refCodec: objectRefCodec })
}

start().catch((error: unknown) => {
  console.error(error)
  process.exit(1)
})
