// Tasks of a queue with a name: each notes its start and its end in a file that other processes write to, too.
import { appendFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { shutdown } from 'outpool'
import PQueue from 'outpool/p-queue'

const [file, name, options, count, ms] = process.argv.slice(2)
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
