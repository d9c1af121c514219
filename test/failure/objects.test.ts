import { expect } from 'chai'
import { churnObjects, fillStore } from './scenarios/objects.ts'
import { FailureCluster } from './support.ts'
import { canShare } from '../tools/native.ts'

const mebibyte = 1024 * 1024

;(canShare ? describe : describe.skip)('objects in shared memory', function () {
  this.timeout(120_000)
  let cluster: FailureCluster
  beforeEach(() => (cluster = new FailureCluster()))
  afterEach(() => cluster.close())

  it('have every byte right, and leave nothing behind, while workers that use them are killed', async () => {
    const node = await cluster.startHead({ numCpus: 3, objectStoreMemory: 64 * mebibyte })
    const result = await churnObjects(cluster, node, {
      ...{ objects: 600, leastBytes: 64_000, mostBytes: 8_000_000, killEveryMs: 300, mostKills: 40, seed: 11 },
    })
    expect(result.errors).to.deep.equal([])
    expect(result.wrong).to.equal(0)
    expect(result.objects).to.equal(600)
    expect(result.kills).to.be.above(2)
    expect(result.left).to.deep.equal({})
  })

  it('have every byte right, and leave nothing behind, while the link of the driver to its home breaks again and again', async () => {
    const node = await cluster.startHead({ numCpus: 2, objectStoreMemory: 64 * mebibyte })
    const result = await churnObjects(cluster, node, {
      ...{ objects: 150, leastBytes: 64_000, mostBytes: 8_000_000, cutEvery: 15, seed: 12 },
    })
    expect(result.errors).to.deep.equal([])
    expect(result.wrong).to.equal(0)
    expect(result.objects).to.equal(150)
    expect(result.cuts).to.be.above(2)
    expect(result.left).to.deep.equal({})
  })

  it('are on disk when memory is short; with no room there either, what was acknowledged stays readable', async () => {
    const node = await cluster.startHead({
      ...{ numCpus: 1, objectStoreMemory: 32 * mebibyte, objectStoreDisk: 160 * mebibyte },
    })
    const { through, full, done } = await fillStore(cluster, node, { through: 128 * mebibyte, mostBytes: 2 * mebibyte })
    expect(through).to.include({ wrong: 0, objects: 64 })
    expect(full.name).to.equal('OutOfDiskError')
    expect(full.message).to.include(node.id).and.include('nothing more can be spilled')
    expect(full.objects).to.be.greaterThan(80)
    expect(done.wrong).to.equal(0)
  })
})
