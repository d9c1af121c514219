/** Objects of many sizes under load, and more of them than there is room for. */
import { churnObjects, fillStore } from '../scenarios/objects.ts'
import { leftovers } from './soak.ts'
import type { Soak } from './soak.ts'

const mebibyte = 1024 * 1024
const gibibyte = 1024 * mebibyte

export const churned: Soak = {
  title: 'objects of 64 KB to 16 MB made, used and dropped for two minutes in 1 GiB, workers killed',
  async run(cluster, { note, check }) {
    const node = await cluster.startHead({ numCpus: 4, objectStoreMemory: gibibyte })
    const seed = Number(process.env['OUTPOOL_SEED'] ?? Date.now() % 1_000_000)
    note(`seed ${seed}`)
    let told = 0
    const result = await churnObjects(cluster, node, {
      ...{ objects: 100_000, seconds: Number(process.env['OUTPOOL_SOAK_SECONDS'] ?? 120), seed, killEveryMs: 500 },
      ...{ leastBytes: 64_000, mostBytes: 16_000_000 },
      onProgress({ objects, bytes }) {
        if (objects < told + 5_000) return
        told = objects
        note(`${objects} objects, ${Math.round(bytes / mebibyte)} MiB`)
      },
    })
    note(`${result.objects} objects, ${Math.round(result.bytes / mebibyte)} MiB, ${result.kills} workers killed`)
    check(`${result.wrong} values were wrong`, result.wrong === 0)
    check(`${result.failed} failed ${result.errors.slice(0, 3).join('; ')}`, result.failed === 0)
    check(`tables of the driver are empty ${leftovers(result.left)}`, leftovers(result.left) === '')
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
