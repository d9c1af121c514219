// Tasks of a queue with a name: each notes its start and its end in a file that other processes write to, too.
import { appendFileSync, existsSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { init, shutdown } from 'outpool'
import PQueue from 'outpool/p-queue'

// `until`: so many milliseconds, or a file that is to be there.
const [file, name, options, count, until] = process.argv.slice(2)
await init()
// What is asked of the head is noted beside the file.
const { home } = globalThis[Symbol.for('outpool.process.1')]
const table = home.table.bind(home)
home.table = (of, operation, ...rest) => {
  appendFileSync(`${file}.asked`, `${process.pid} ${operation[0]}\n`)
  return table(of, operation, ...rest)
}
const queue = new PQueue({ ...JSON.parse(options), name })
await Promise.all(
  Array.from({ length: Number(count) }, () =>
    queue.add(async () => {
      appendFileSync(file, `start ${Date.now()}\n`)
      if (/^\d+$/.test(until)) await sleep(Number(until))
      else while (!existsSync(until)) await sleep(5)
      appendFileSync(file, `end ${Date.now()}\n`)
    }),
  ),
)
await shutdown()
