/**
 * A program that works a little, rests until it and its worker have given memory back, and works on. The argument:
 * where they say so.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { init, remote, shutdown } from 'outpool'
import { watch } from '../fixtures/resting.mjs'

const [folder] = process.argv.slice(2)
await init({ numCpus: 1 })
watch(folder, 'driver')
await remote(new URL('../fixtures/resting.mjs', import.meta.url), 'watch').run(folder, 'worker')
const double = remote((value) => 2 * value)
console.log(await double.run(1))
for (const name of ['driver', 'worker']) while (!existsSync(join(folder, name))) await sleep(50)
console.log(await Promise.all([2, 3].map((value) => double.run(value))))
await shutdown()
