/** No pool at all: each process gets its whole list of tasks in one message. What this machine gives at best. */
import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { serve, timed } from './serve.mjs'
import { timelineOf } from './timeline.mjs'

const worker = fileURLToPath(new URL('./bare-processes-worker.mjs', import.meta.url))

const answer = (child) => new Promise((resolve) => child.once('message', resolve))

async function work({ lists }, children) {
  const answers = await Promise.all(
    children.map((child, index) => {
      const done = answer(child)
      child.send(lists[index])
      return done
    }),
  )
  return answers.flat()
}

await serve({
  async setUp({ workers }) {
    const children = Array.from({ length: workers }, () => fork(worker))
    await Promise.all(children.map(answer))
    return children
  },
  operations: {
    work: (parts, children) => timed(() => work(parts, children)),
    timeline: (parts, children) => timelineOf(children.length, () => work(parts, children)),
  },
  async tearDown(children) {
    for (const child of children) child.disconnect()
  },
})
