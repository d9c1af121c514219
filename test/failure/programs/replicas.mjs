/**
 * Puts one value of `bytes` bytes with `replicas`, then says of each node whose name it is told (a resource of that
 * node) whether the value is right there. Told `leave`, it lets go of it.
 */
import { init, put, remote, shutdown } from 'outpool'
import { contentOf } from './object-tasks.mjs'
import { end, options, say, told } from './report.mjs'

const { bytes, replicas, nodes } = options
const look = remote(new URL('./object-tasks.mjs', import.meta.url), 'isRight', { numCpus: 0 })
await init()
const ref = await put(contentOf(1, bytes), { replicas })
await say('put', { id: ref.id })
const reading = nodes.map(async (node) => {
  for (;;) {
    await told(`read ${node}`)
    try {
      await say('read', { right: await look.options({ resources: { [node]: 1 } }).run(ref, 1, bytes) })
    } catch (error) {
      await say('read', { right: `${error.name}: ${error.message}` })
    }
  }
})
await Promise.race([told('leave'), ...reading])
ref[Symbol.dispose]()
await told('end')
await shutdown()
await end({})
