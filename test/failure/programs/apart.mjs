/**
 * What a driver does that nobody can dial: owns what others use, sends and gets large values. Options: folder, bytes,
 * times, nodes.
 */
import { explain, get, init, put, remote, shutdown } from 'outpool'
import { end, leftInTables, options, say } from './report.mjs'

const { folder, bytes, times } = options
await init()
const url = new URL('./tasks.mjs', import.meta.url)
const [nested, sum, fill, where] = ['nested', 'sum', 'fill', 'where'].map((name) => remote(url, name))
const wrong = []

function check(what, got, wanted) {
  if (got !== wanted) wrong.push(`${what}: ${got} instead of ${wanted}`)
}

/** A function of its own, so that its refs are garbage when it is over. */
async function once(i) {
  const small = [1, 2, 3].map((n) => Array.from({ length: 10 }, () => n * i))
  const smallRefs = await Promise.all(small.map((values) => put(values)))
  check('values of the driver used by tasks of tasks', await nested.run(smallRefs, folder), 60 * i)
  const large = await Promise.all([1, 2].map((n) => put(new Float64Array(bytes / 8).fill(n * i))))
  check('large values of the driver used by tasks of tasks', await nested.run(large, folder), (3 * i * bytes) / 8)
  check('a large argument', await sum.run(new Uint8Array(bytes).fill(i)), i * bytes)
  const made = await fill.run(bytes, i)
  check('a large result', `${made.length} of ${made[0]} to ${made.at(-1)}`, `${bytes} of ${i} to ${i}`)
  // From worker to worker; the driver owns it and never has it.
  const chain = fill.remote(bytes, i)
  check('a result as an argument', await get(sum.remote(chain)), i * bytes)
}
for (let i = 1; i <= times; i++) await once(i)
const used = new Set()
while (used.size < options.nodes)
  for (const { node } of await Promise.all(Array.from({ length: 60 }, () => where.run(20)))) used.add(node)
await say('outcomes', { wrong, retried: explain().retried, used: [...used] })
const left = await leftInTables(explain)
await shutdown()
await end({ left })
