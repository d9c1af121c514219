// Tasks of a queue with a name: each notes its start and its end in a file that other processes write to, too.
import { appendFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { init, shutdown } from 'outpool'
import PQueue from 'outpool/p-queue'

const [file, name, options, count, ms] = process.argv.slice(2)
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
      await sleep(Number(ms))
      appendFileSync(file, `end ${Date.now()}\n`)
    }),
  ),
)
await shutdown()
