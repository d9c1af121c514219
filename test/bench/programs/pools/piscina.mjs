import { Piscina } from 'piscina'

const filename = new URL('../tasks.mjs', import.meta.url).href

export async function open({ workers }) {
  const pool = new Piscina({ filename, minThreads: workers, maxThreads: workers })
  return {
    noop: () => pool.run(undefined, { name: 'noop' }),
    burn: (iterations) => pool.run(iterations, { name: 'burn' }),
    timedBurn: (iterations) => pool.run(iterations, { name: 'timedBurn' }),
    ends: (array) => pool.run(array, { name: 'ends' }),
    close: () => pool.destroy(),
  }
}
