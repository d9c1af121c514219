/**
 * Chains and fans of tasks with large results. Each round makes them, says so, and reads every value when it is told to
 * (or at once, with `rounds`); told `enough`, it makes no other round. Options: depth, width, rounds, folder; `drop`: only
 * the last ref of a chain is kept.
 */
import { explain, init, remote, shutdown, wait } from 'outpool'
import { valueOf } from './lineage-tasks.mjs'
import { end, leftInTables, options, say, told } from './report.mjs'

const { depth, width, rounds = 1, folder, drop = false } = options
const tasks = new URL('./lineage-tasks.mjs', import.meta.url)
// A kill may meet the same task again and again.
const [link, leaf, total] = ['link', 'leaf', 'total'].map((name) => remote(tasks, name, { maxRetries: -1 }))
// From one node to the other and back.
const links = ['odd', 'even'].map((name) => link.options({ resources: { [name]: 1 } }))
await init()

let over = false
void told('enough').then(() => (over = true))
const counts = { rounds: 0, values: 0, wrong: 0 }
const errors = []

async function check(ref, expected) {
  counts.values++
  try {
    const value = valueOf(await ref.get())
    if (value === expected) return
    counts.wrong++
    errors.push(`${value} instead of ${expected}`)
  } catch (error) {
    errors.push(`${error.name}: ${error.message}`)
  }
}

async function round(number) {
  const chain = []
  for (let i = 0; i < depth; i++) chain.push(links[i % 2].remote(chain.at(-1) ?? null, `${number}-link-${i}`, folder))
  const leaves = Array.from({ length: width }, (_, i) => leaf.remote(i, `${number}-leaf-${i}`, folder))
  const held = [...(drop ? chain.slice(-1) : chain), ...leaves]
  if (drop) for (const ref of chain.slice(0, -1)) ref[Symbol.dispose]()
  if (rounds === 1) {
    await wait(held, { count: held.length, fetchLocal: false })
    await say('made', { held: held.map(({ id }) => id) })
    await told('go on')
  }
  const sum = total.remote(`${number}-total`, folder, ...leaves)
  await check(sum, (width * (width - 1)) / 2)
  const last = chain.length - 1
  // From the end: what is before it is made again for it, where that is lost.
  for (let i = last; i >= (drop ? last : 0); i--) await check(chain[i], i + 1)
  for (const ref of [...held, sum]) ref[Symbol.dispose]()
  counts.rounds++
  await say('progress', counts)
}

for (let number = 0; number < rounds && !over; number++) await round(number)
const { rebuilt, retried } = explain()
await say('done', { ...counts, errors: errors.slice(0, 10), failed: errors.length, rebuilt, retried })
await told('leave')
const left = await leftInTables(explain)
await shutdown()
await end({ left })
