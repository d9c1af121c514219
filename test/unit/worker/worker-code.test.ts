import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { OwnerDiedError, RuntimeEnvSetupError } from '../../../runtime/base/errors.ts'
import type { ProcessId } from '../../../runtime/base/ids.ts'
import { type Message, MessageType, type RefTuple } from '../../../runtime/protocol/messages.ts'
import { WorkerCode } from '../../../runtime/worker/worker-code.ts'
import { ManualClock } from '../manual-clock.ts'
import { eventually } from '../../tools/eventually.ts'
import { rejection } from '../../tools/rejection.ts'

const job = 'program' as ProcessId
const gone = new OwnerDiedError('process program, which owns this object, is gone')
const refOf = (owner: string): RefTuple => [owner, 1, 'node'] as unknown as RefTuple

/** A worker's code whose node has everything in `folder`; `get` answers from the front of `answers`. */
function codeOf(folder: string, answers: unknown[]): { code: WorkerCode; clock: ManualClock; asked: () => number } {
  const clock = new ManualClock()
  let asked = 0
  const code: WorkerCode = new WorkerCode(
    {
      send: ([type, id]: Message) =>
        void (type === MessageType.codeNeed && code.received([MessageType.codePlace, id, 'ready', folder])),
      get() {
        asked++
        const answer = answers.length > 1 ? answers.shift() : answers[0]
        return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer)
      },
      job: () => job,
    },
    clock,
  )
  return { code, clock, asked: () => asked }
}

describe('the code of a worker', () => {
  let folder: string
  const packed = {
    manifest: {
      ...{ kind: 'bundle', code: { id: 'code', bytes: 1 }, entry: 'module.mjs', origin: '/there/tasks.ts' },
      ...{ packages: undefined, reasons: [] },
    },
    archives: { code: refOf(job) },
  }

  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'code-'))))
  afterEach(() => rmSync(folder, { recursive: true }))

  it('asks its program again, later and later, while that cannot be reached', async () => {
    const { code, clock, asked } = codeOf(folder, [gone, gone, gone, packed])
    const located = code.locate('file:///there/tasks.ts', refOf(job))
    for (const waitMs of [50, 100, 200]) {
      await eventually(() => clock.pending === 1 || undefined)
      const before = asked()
      clock.advance(waitMs - 1)
      expect(asked()).to.equal(before)
      clock.advance(1)
    }
    expect(await located).to.match(/module\.mjs$/)
    expect(asked()).to.equal(4)
    expect(code.packOf('file:///there/tasks.ts')).to.deep.equal({ kind: 'pack', ref: refOf(job) })
    expect(code.packOf('file:///there/other.ts')).to.equal(undefined)
  })

  it('takes the death of another owner, and what its program says, as they are; and tries again at the next call', async () => {
    const { code } = codeOf(folder, [gone, packed])
    expect(await rejection(code.locate('file:///there/tasks.ts', refOf('another')))).to.equal(gone)
    const refusal = new RuntimeEnvSetupError('no such folder')
    const other = codeOf(folder, [refusal, packed])
    expect(await rejection(other.code.locate('file:///there/tasks.ts', refOf(job)))).to.equal(refusal)
    expect(await other.code.locate('file:///there/tasks.ts', refOf(job))).to.match(/module\.mjs$/)
  })
})
