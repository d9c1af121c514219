import { expect } from 'chai'
import { explain, init, type ObjectRef, remote, shutdown, type TaskOptions } from 'outpool'
import { collectGarbage } from '../../runtime/base/garbage.ts'
import type { DaemonFacts } from '../../runtime/cluster/daemon-options.ts'
import { TestCluster, usePlainWorkers } from './support.ts'
import { eventually } from '../tools/eventually.ts'
import { rejection } from '../tools/rejection.ts'

const module = new URL('fixtures/generators.mjs', import.meta.url)
const where: TaskOptions = { numReturns: 'streaming', numCpus: 0, resources: { here: 1 } }
const large = remote<(count: number, ms: number) => AsyncGenerator<Float64Array, string>>(module, 'large', where)
const counted = remote<(folder: string) => Generator<Float64Array>>(module, 'counted', where)

describe('items of generators that lie on a node which is killed', () => {
  usePlainWorkers()
  let cluster: TestCluster
  let head: DaemonFacts
  let node: DaemonFacts
  beforeEach(async () => {
    cluster = new TestCluster()
    head = await cluster.start({ head: true })
    node = await cluster.start({ head: false, address: head.url, resources: { here: 2 } })
    await init({ address: head.url })
    await cluster.seen(head, node.id, ({ state }) => state === 'alive')
  })
  afterEach(async () => {
    await eventually(() => {
      collectGarbage()
      const { leases: _, ...tables } = explain().tables
      return Object.values(tables).every((size) => size === 0) || undefined
    })
    await shutdown()
    await cluster.close()
  })

  /** The node is killed, and another one is there that can do the same. */
  const replace = async (): Promise<void> => {
    process.kill(node.pid, 'SIGKILL')
    node = await cluster.start({ head: false, address: head.url, resources: { here: 2 } })
  }

  const firsts = async (refs: readonly ObjectRef<Float64Array>[]): Promise<unknown[]> => {
    const found: unknown[] = []
    for (const ref of refs) found.push(await ref.get().then((array) => array[0]))
    return found
  }

  it('are made again while it runs, and after its end: the generator runs again, and gives nothing twice', async () => {
    const refs: ObjectRef<Float64Array>[] = []
    const items = large.remote(90, 5)
    for (let step = await items.next(); step.done !== true; step = await items.next()) {
      refs.push(step.value)
      if (refs.length === 30) await replace()
    }
    const numbers = Array.from({ length: 90 }, (_, i) => i)
    expect(await firsts(refs)).to.deep.equal(numbers)
    await replace()
    expect(await firsts(refs)).to.deep.equal(numbers)
  })

  it('are lost by name where the generator makes fewer the next time, or must not run again', async () => {
    const refs: ObjectRef<Float64Array>[] = []
    for await (const ref of counted.remote(cluster.folder)) refs.push(ref)
    expect(refs).to.have.length(3)
    let once: ObjectRef | undefined
    for await (const ref of large.options({ maxRetries: 0 }).remote(1, 0)) once = ref
    await replace()
    const fewer = await rejection((refs[2] as ObjectRef).get())
    expect(fewer).to.have.property('code', 'ERR_OUTPOOL_OBJECT_RECONSTRUCTION_FAILED')
    expect(fewer.message).to.contain('ended after 2 items, and 3 had been delivered')
    const never = await rejection((once as ObjectRef).get())
    expect(never).to.have.nested.property('details.reason', 'retries disabled')
  })
})
