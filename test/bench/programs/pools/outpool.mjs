import { init, put, remote, shutdown } from 'outpool'

const tasks = new URL('../tasks.mjs', import.meta.url)

/** With OUTPOOL_ADDRESS in the environment the workers are the cluster's. */
export async function open({ workers }) {
  await init(process.env.OUTPOOL_ADDRESS ? {} : { numCpus: workers })
  const noop = remote(tasks, 'noop')
  const burn = remote(tasks, 'burn')
  const timedBurn = remote(tasks, 'timedBurn')
  const ends = remote(tasks, 'ends')
  const sum = remote(tasks, 'sum')
  const range = remote(tasks, 'range')
  const items = remote(tasks, 'items', { numReturns: 'streaming' })
  return {
    noop: () => noop.run(),
    burn: (iterations) => burn.run(iterations),
    timedBurn: (iterations) => timedBurn.run(iterations),
    ends: (array) => ends.run(array),
    share: (value) => put(value),
    sum: (refs) => sum.run(...refs),
    many: (count) => range.options({ numReturns: count }).remoteMany(count),
    generate: (count) => items.remote(count),
    submit: () => noop.remote(),
    close: () => shutdown(),
  }
}
