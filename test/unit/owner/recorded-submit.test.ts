import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import type { NodeId, ProcessId } from '../../../runtime/base/ids.ts'
import type { OwnerHost } from '../../../runtime/owner/host.ts'
import { submitState } from '../../../runtime/owner/recorded-submit.ts'
import { defaultSubmitOptions, type SubmitEffects, type TaskTemplate } from '../../../runtime/owner/submit-types.ts'
import { TaskEvents } from '../../../runtime/owner/task-events.ts'
import { TaskTable } from '../../../runtime/owner/task-table.ts'
import { ManualClock } from '../manual-clock.ts'

const node = '00000000000000aa' as NodeId
const driver = '00000000000000bb' as ProcessId

/** What is asked of the outside while long tasks are queued, run, recalled, cancelled and fail. */
function instructions(events: TaskEvents | undefined): string[] {
  const log: string[] = []
  const note =
    (name: string, answer?: unknown) =>
    (...all: unknown[]): never => {
      log.push(`${name} ${JSON.stringify(all.filter((each) => typeof each === 'number'))}`)
      return answer as never
    }
  const leasing: Required<SubmitEffects> = {
    requestLease: note('requestLease'),
    argumentBytes: note('argumentBytes', [[node, 40_000_000]]),
    cancelRequest: note('cancelRequest'),
    prefetch: note('prefetch'),
    open: note('open'),
    push: note('push'),
    flush: note('flush'),
    rest: note('rest'),
    wake: note('wake'),
    recall: note('recall', []),
    recallsAtOnce: note('recallsAtOnce', true),
    abort: note('abort'),
    endWorker: note('endWorker'),
    returnLease: note('returnLease'),
    returnGrant: note('returnGrant'),
    fail: note('fail'),
    classEnded: note('classEnded'),
    story: note('story'),
  }
  const clock = new ManualClock()
  const table = new TaskTable()
  const state = submitState({ table, clock, leasing, options: defaultSubmitOptions, events })
  const of = { resources: [], strategy: null, priority: 0, environment: '' }
  const classIndex = state.defineClass({ kind: 'task', ...of })
  const facts = { number: 0, name: 'f', classIndex, maxRetries: 0, retryExceptions: false, timeoutMs: 0, numReturns: 1 }
  const template: TaskTemplate = { ...facts, runMicros: 20_000, deviationMicros: 0 }
  const place = { node, worker: driver, socketPath: '', pagePath: 'page', pid: 1 }
  const numbers = Array.from({ length: 200 }, () => table.allocate())
  for (const number of numbers) state.submit(number, template, true)
  state.granted(1, { leaseId: 1, epoch: 1, ...place })
  state.opened(1)
  state.done(1, 0, 20_000)
  state.failed(1, 1, 20_000, 'user')
  state.takesAhead(template)
  state.reclaim(node, 1, false)
  state.cancel(numbers[2]!, 'a whim', true, true)
  state.workerEnded(1, [null, 'SIGKILL', 1, ''], 2)
  state.granted(2, { leaseId: 2, epoch: 1, ...place })
  state.openPinned(state.defineClass({ kind: 'pinned', ...of }))
  clock.advance(1_000)
  state.close({ kind: 'class-closed', reason: 'the end' })
  state.granted(3, { leaseId: 3, epoch: 1, ...place })
  return log
}

describe("an owner's tasks, where what happens to them is written down", () => {
  let folder: string
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'rs-'))))
  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  it('go the same way as where nothing is', () => {
    const host = { self: { node, process: driver }, job: driver, warn: (text: string) => expect.fail(text) }
    const events = new TaskEvents(folder, host as unknown as OwnerHost)
    const plain = instructions(undefined)
    expect(instructions(events)).to.deep.equal(plain)
    events.close()
    const [job = ''] = readdirSync(folder)
    const lines = readFileSync(join(folder, job, `${driver}.jsonl`), 'utf8')
    const seen = lines.trim().split('\n')
    const pushed = seen.filter((line) => (JSON.parse(line) as { e: string }).e === 'pushed')
    expect(pushed).to.have.length(plain.filter((line) => line.startsWith('push ')).length)
    expect(plain.join('\n')).to.match(/^flush /m)
  })
})
