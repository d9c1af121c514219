/** A job one of whose workers owns what lies on other nodes. Options: bytes, objects, pulled. */
import { init, remote, shutdown } from 'outpool'
import { end, options, say, told } from './report.mjs'

const { bytes, objects } = options
await init()
// Its worker owns results that lie in the store of the node "there", and the copy there of a value that it put.
const owning = remote(
  async (length, count) => {
    const { context, put, remote: make } = await import('outpool')
    const there = { resources: { there: 1 }, numCpus: 0 }
    const fill = make((size, value) => new Uint8Array(size).fill(value), there)
    const sum = make((array) => array.reduce((total, value) => total + value, 0), there)
    const refs = Array.from({ length: count }, (_, i) => fill.remote(length, i))
    const own = await put(new Uint8Array(length).fill(1))
    globalThis.kept = [...refs, own]
    for (const ref of refs) await ref.get()
    if ((await sum.run(own)) !== length) throw new Error('other bytes')
    return { pid: process.pid, process: context().process }
  },
  { resources: { here: 1 }, numCpus: 0 },
)
await say('owns', await owning.run(bytes, objects))
await told('leave')
await shutdown()
await end({})
