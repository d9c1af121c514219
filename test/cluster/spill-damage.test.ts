import { closeSync, openSync, readdirSync, statSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import {
  explain,
  get,
  init,
  type ObjectReconstructionFailedError,
  type ObjectRef,
  put,
  remote,
  shutdown,
} from 'outpool'
import { askNodeJson } from '../../runtime/cluster/ask-node.ts'
import type { DaemonFacts } from '../../runtime/cluster/daemon-options.ts'
import type { StoreUsage } from '../../runtime/objects/store-usage.ts'
import { canShare } from '../tools/native.ts'
import { TestCluster } from './support.ts'
import { eventually } from '../tools/eventually.ts'
import { rejection } from '../tools/rejection.ts'

const mebibyte = 1024 * 1024
const length = (8 * mebibyte) / 8

const filled = remote((size: number, value: number) => new Float64Array(size).fill(value))
const sameAll = remote((array: Float64Array, value: number) => array.every((one) => one === value))

/** Another disk would have done as much: zeros in place of every byte, in the very files that are open. */
function damage(folder: string): void {
  for (const name of readdirSync(folder)) {
    const path = join(folder, name)
    const file = openSync(path, 'r+')
    writeSync(file, Buffer.alloc(statSync(path).size))
    closeSync(file)
  }
}

describe('spilled objects whose file was damaged', () => {
  let cluster: TestCluster
  let node: DaemonFacts
  beforeEach(async function () {
    if (!canShare) this.skip()
    cluster = new TestCluster()
    node = await cluster.start({ head: true, numCpus: 2, objectStoreMemory: 48 * mebibyte, resources: { maker: 2 } })
    const other = await cluster.start({ head: false, address: node.url, numCpus: 2, resources: { reader: 2 } })
    await init({ address: node.url })
    await cluster.seen(node, other.id, ({ state }) => state === 'alive')
  })
  afterEach(async () => {
    await shutdown()
    await cluster?.close()
  })

  const spilled = async (): Promise<readonly string[]> => {
    const { list } = await askNodeJson<StoreUsage>(node.url, '/memory?objects=1000', cluster.token)
    return list.filter(({ state }) => state === 'spilled').map(({ key }) => key)
  }

  it('are made again by their tasks, whichever node reads them; what was put is lost, and it is said why', async () => {
    const make = filled.options({ resources: { maker: 1 } })
    const made: ObjectRef<Float64Array>[] = []
    const kept: ObjectRef<Float64Array>[] = []
    for (let i = 0; i < 5; i++) {
      made.push(make.remote(length, i))
      await sameAll.options({ resources: { maker: 1 } }).run(made[i] as ObjectRef<Float64Array>, i)
      kept.push(await put(new Float64Array(length).fill(-i)))
    }
    const keys = await eventually(async () => {
      const list = await spilled()
      return list.length >= 4 ? list : undefined
    })
    const isDamaged = ({ id }: ObjectRef): boolean => keys.includes(id)
    expect([made.some(isDamaged), kept.some(isDamaged)]).to.deep.equal([true, true])
    damage(join(tmpdir(), `outpool-${process.getuid?.()}`, node.id, 'objects', 'spilled'))
    const before = explain()
    const read = sameAll.options({ resources: { reader: 1 } })
    for (const [i, ref] of made.entries())
      if (i % 2 === 0) expect(await read.run(ref, i)).to.equal(true)
      else expect((await get(ref)).every((one) => one === i)).to.equal(true)
    expect(explain().rebuilt - before.rebuilt).to.be.at.least(made.filter(isDamaged).length)
    for (const [i, ref] of kept.filter(isDamaged).entries()) {
      const reading = i % 2 === 0 ? read.run(ref, 0) : get(ref)
      const error = (await rejection(reading)) as ObjectReconstructionFailedError
      expect(error).to.have.property('name', 'ObjectReconstructionFailedError')
      expect(error.reason).to.equal('put')
      expect(error.message).to.include(node.id).and.include('spilled to').and.include('check that disk')
    }
  })
})
