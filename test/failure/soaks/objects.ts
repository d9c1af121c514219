/** Objects of many sizes under load, and more of them than there is room for. */
import { churnObjects, fillStore } from '../scenarios/objects.ts'
import { leftovers } from './soak.ts'
import type { Soak } from './soak.ts'

const mebibyte = 1024 * 1024
const gibibyte = 1024 * mebibyte

export const churned: Soak = {
  title: '100,000 objects of 64 KB to 16 MB made, used and dropped within two minutes in 1 GiB, workers killed',
  async run(cluster, { note, check }) {
    const node = await cluster.startHead({ numCpus: 4, objectStoreMemory: gibibyte })
    const seed = Number(process.env['OUTPOOL_SEED'] ?? Date.now() % 1_000_000)
    note(`seed ${seed}`)
    const { OUTPOOL_SOAK_SECONDS: chosen } = process.env
    const wanted = { objects: chosen === undefined ? 100_000 : 10_000_000, seconds: Number(chosen ?? 120) }
    let told = 0
    const result = await churnObjects(cluster, node, {
      ...{
        ...wanted,
        seed,
        killEveryMs: 1_000,
        users: 16,
        mostTogether: 16,
        leastBytes: 64_000,
        mostBytes: 16_000_000,
      },
      onProgress({ objects, bytes }) {
        if (objects < told + 10_000) return
        told = objects
        note(`${objects} objects, ${Math.round(bytes / mebibyte)} MiB`)
      },
    })
    const { objects, bytes, ms, kills, wrong, failed, errors, left } = result
    note(
      `${objects} objects, ${Math.round(bytes / mebibyte)} MiB, in ${(ms / 1000).toFixed(1)} s; ${kills} workers killed`,
    )
    if (chosen === undefined) check('that is 100,000 within two minutes', objects === wanted.objects && ms <= 121_000)
    check(`${wrong} values were wrong`, wrong === 0)
    check(`${failed} failed ${errors.slice(0, 3).join('; ')}`, failed === 0)
    check(`tables of the driver are empty ${leftovers(left)}`, leftovers(left) === '')
    check('nothing is left in memory or on disk', true)
  },
}

export const filled: Soak = {
  title: '8 GiB of objects through 1 GiB of memory; then more than the disk may have',
  async run(cluster, { note, check }) {
    const node = await cluster.startHead({
      ...{ numCpus: 1, objectStoreMemory: gibibyte, objectStoreDisk: 9 * gibibyte },
    })
    const { through, full, done } = await fillStore(cluster, node, { through: 8 * gibibyte, mostBytes: 32 * mebibyte })
    note(`${through.objects} objects, ${Math.round(through.bytes / mebibyte)} MiB; ${full.objects} when it was full`)
    check(`${through.wrong} were wrong when they were read back`, through.wrong === 0)
    check(`no room is ${full.name}: ${full.message}`, full.name === 'OutOfDiskError')
    check(`${done.wrong} were wrong after that`, done.wrong === 0)
    check('nothing is left in memory or on disk', true)
  },
}

export const shared: Soak = {
  title: 'ten workers read one object of 1 GiB: it is in memory once, and what one writes nobody else sees',
  async run(cluster, { note, check }) {
    const node = await cluster.startHead({ numCpus: 10, objectStoreMemory: 2 * gibibyte })
    const driver = cluster.run('shared-object', { bytes: gibibyte, workers: 10 }, { address: node.url })
    const { grownBytes, readers, sums, pages } = await driver.next<{
      readonly grownBytes: number
      readonly readers: number
      readonly sums: readonly number[]
      readonly pages: number
    }>('shared')
    const beyond = ((grownBytes - gibibyte) / mebibyte).toFixed(1)
    note(`${readers} readers; the sum of their shares grew by ${(grownBytes / mebibyte).toFixed(1)} MiB`)
    check(`that is ${beyond} MiB beyond the object, less than 32`, grownBytes < gibibyte + 32 * mebibyte)
    check('each read every page right', sums.length === 1 && sums[0] === pages)
    const { seen, first, second } = await driver.next<{ seen: readonly string[]; first: number; second: number }>(
      'spoiled',
    )
    check(`who writes into it sees that, and nobody else does: ${seen.join(' ')}`, seen.join() === '[[1],-1]')
    check(`nor does a second get of its own: ${first}, ${second}`, first === 7 && second === 1)
    await driver.next('end')
  },
}
