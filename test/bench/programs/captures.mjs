/** A known function that captures nothing, one value, ten, and a large array: microseconds of a call, many in flight. */
import inspector from 'node:inspector'
import { init, remote, shutdown } from 'outpool'
import { serve, timed } from './serve.mjs'

if (process.argv.includes('blind')) {
  // As in a process that may not use it; nobody has asked for it yet.
  inspector.Session = class {
    constructor() {
      throw new Error('there is no inspector')
    }
  }
}

const a = 1
const [b, c, d, e] = [2, 3, 4, 5]
const f = { g: 6, list: [7, 8] }
const h = new Map([['i', 9]])
const j = (x) => x + a
const k = new Date(0)
const l = 'text'
const large = Array.from({ length: 10_000 }, (_, index) => index)
let changing = 0

const capturing = () => ({
  one: remote((x) => x + a),
  ten: remote((x) => j(x) + b + c + d + e + f.g + h.get('i') + k.getTime() + l.length + a),
  large: remote((x) => x + large[x % 10_000]),
  changing: remote((x) => x + changing),
})
const functions = { none: remote((x) => x + 1), ...(process.argv.includes('blind') ? {} : capturing()) }

await serve({
  setUp: ({ workers }) => init({ numCpus: workers }),
  operations: {
    async calls({ of, count }) {
      const fn = functions[of]
      const ms = await timed(async () => {
        const results = Array.from({ length: count }, (_, index) => {
          changing = index
          return fn.run(index)
        })
        await Promise.all(results)
      })
      return (ms * 1000) / count
    },
  },
  tearDown: shutdown,
})
