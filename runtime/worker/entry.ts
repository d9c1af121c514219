/**
 * What a worker process runs: `node entry.cjs <run folder> <worker id>`. Everything else is in the folder's node.json. The
 * build makes a CommonJS script of it, so nothing here may be what only an ES module has.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { monotonicMs } from '../base/clock.ts'
import { isProcessId } from '../base/ids.ts'
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

const pollMs = 1
const mostWaitMs = 30_000

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

/** A worker may be started before its node manager stands: what it must know is written when that does. */
async function whenWritten(): Promise<void> {
  const parent = process.ppid
  const deadlineMs = monotonicMs() + mostWaitMs
  while (!existsSync(nodeFile)) {
    if (process.ppid !== parent || !existsSync(runFolder)) process.exit(0)
    if (monotonicMs() > deadlineMs) throw new Error(`there is no ${nodeFile} after ${mostWaitMs / 1000} s`)
    await new Promise((resolve) => setTimeout(resolve, pollMs))
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
