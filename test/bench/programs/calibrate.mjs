/** The bare work, alone on the machine: how many iterations take so many milliseconds, and how long so many take. */
import { serve } from './serve.mjs'
import { burn } from './tasks.mjs'

function millisecondsOf(iterations) {
  const start = performance.now()
  burn(iterations)
  return performance.now() - start
}

function medianOf(values) {
  return values.sort((a, b) => a - b)[values.length >> 1]
}

await serve({
  operations: {
    async iterationsPerMs() {
      const probe = 5_000_000
      for (let i = 0; i < 5; i++) burn(probe)
      return probe / medianOf(Array.from({ length: 9 }, () => millisecondsOf(probe)))
    },
    async alone({ iterations, times }) {
      return medianOf(Array.from({ length: times }, () => millisecondsOf(iterations)))
    },
  },
})
