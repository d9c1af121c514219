import { expect } from 'chai'
import { explain, init, type ObjectReconstructionFailedError, type ObjectRef, remote, shutdown, wait } from 'outpool'
import { acquireWorker } from '../../dist/lib/pinned.js'
import { currentRuntime } from '../../runtime/owner/current.ts'
import type { Owner } from '../../runtime/owner/owner.ts'
import { ended, TestCluster, usePlainWorkers } from './support.ts'
import { eventually } from '../tools/eventually.ts'
import { rejection } from '../tools/rejection.ts'

const filled = (value: number): Float64Array => new Float64Array(100_000).fill(value)

/** A result of a worker that somebody has to himself, and that is not read yet: its owner knows where it lies. */
async function unreadResult(worker: ReturnType<typeof acquireWorker>): Promise<() => Promise<unknown>> {
  const owner = currentRuntime()?.owner as Owner
  // What such workers answer is read at once by who has called them; the same call, made by hand, is not.
  const run = owner.run.bind(owner)
  let template: Parameters<Owner['run']>[0] | undefined
  owner.run = (of, ...rest) => run((template = of), ...rest)
  await worker.run(filled, [1]).promise
  owner.run = run
  const settled = (): number => Object.values(explain().tasksByNode).reduce((sum, tasks) => sum + tasks, 0)
  const before = settled()
  const [ref] = owner.submit(template as Parameters<Owner['run']>[0], [7])
  await eventually(() => settled() > before || undefined)
  return () => owner.values.get(ref as Parameters<Owner['values']['get']>[0])
}

describe('a large result whose node is gone, that no other can make', function () {
  usePlainWorkers()
  let cluster: TestCluster
  let result: ObjectRef<Float64Array>
  let readPinned: () => Promise<unknown>

  before(async function () {
    cluster = new TestCluster()
    const head = await cluster.start({ head: true, infeasibleTimeoutMs: 500 })
    const maker = await cluster.start({ head: false, address: head.url, numCpus: 2, resources: { maker: 2 } })
    await init({ address: head.url })
    await cluster.seen(head, maker.id, ({ state }) => state === 'alive')
    result = remote(filled)
      .options({ resources: { maker: 1 } })
      .remote(1)
    await wait([result], { fetchLocal: false })
    const worker = acquireWorker({ resources: { maker: 1 } })
    readPinned = await unreadResult(worker)
    process.kill(maker.pid, 'SIGKILL')
    await ended(maker.pid)
    await cluster.seen(head, maker.id, ({ state }) => state === 'dead')
  })
  after(async () => {
    await shutdown()
    await cluster.close()
  })

  it('is told as unschedulable, with what its task asks for and what there is', async () => {
    const error = (await rejection(result.get())) as ObjectReconstructionFailedError
    expect(error).to.include({ name: 'ObjectReconstructionFailedError', reason: 'unschedulable' })
    expect(error.details).to.include({ reason: 'unschedulable', task: 'filled' })
    expect(error.message).to.include(result.id).and.include('maker').and.include('see that the cluster has')
    expect(error.cause).to.have.property('name', 'TaskUnschedulableError')
  })

  it('is told as the result of a pinned worker, whose state is gone with it', async () => {
    const error = (await rejection(readPinned())) as ObjectReconstructionFailedError
    expect(error).to.include({ name: 'ObjectReconstructionFailedError', reason: 'pinned worker' })
    expect(error.message).to.include('a worker of its own').and.include('replicas: 2')
  })
})
