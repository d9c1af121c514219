import { setTimeout as sleep } from 'node:timers/promises'
import { explain } from 'outpool'
import { moduleFunction, Pool } from 'outpool/multiprocessing'
import { beginJob, inputFiles, report } from './program.mjs'

const facts = new URL('./facts.mjs', import.meta.url)
const pool = new Pool({ initializer: moduleFunction(facts, 'ready') })

// Every worker is up before the clock starts.
while (explain(pool).processes === 0 || explain(pool).workers.length < explain(pool).processes) await sleep(5)

const files = inputFiles()
const job = beginJob(files.length)
const progress = setInterval(() => job.advanceTo(filesDone(), explain(pool)), 20)
const results = await pool.map(moduleFunction(facts, 'fileFacts'), files, 1)
clearInterval(progress)
job.advanceTo(files.length)
const took = job.end()
const where = explain(pool)
await pool.terminate()

await report(results, took, where)

function filesDone() {
  return explain(pool).workers.reduce((sum, { items }) => sum + items, 0)
}
