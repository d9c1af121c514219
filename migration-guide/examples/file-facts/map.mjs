import { setTimeout as sleep } from 'node:timers/promises'
import { explain } from 'outpool'
import { moduleFunction, Pool } from 'outpool/multiprocessing'
import { beginJob, inputFiles, report, smallFilesPerCall } from './program.mjs'

const module = new URL('./facts.mjs', import.meta.url)
const fileFacts = moduleFunction(module, 'fileFacts')
const pool = new Pool({ initializer: moduleFunction(module, 'ready') })

// Every worker is up before the clock starts.
while (explain(pool).processes === 0 || explain(pool).workers.length < explain(pool).processes) await sleep(5)

const { large, small, count } = inputFiles()
const job = beginJob(count)
const progress = setInterval(() => job.advanceTo(filesDone(), explain(pool)), 20)
const facts = await Promise.all([pool.map(fileFacts, large, 1), pool.map(fileFacts, small, smallFilesPerCall)])
clearInterval(progress)
job.advanceTo(count)
const took = job.end()
const where = explain(pool)
await pool.terminate()

await report(facts.flat(), took, where)

function filesDone() {
  return explain(pool).workers.reduce((sum, { items }) => sum + items, 0)
}
