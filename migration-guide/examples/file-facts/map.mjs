import { setTimeout as sleep } from 'node:timers/promises'
import { explain } from 'outpool'
import { moduleFunction, Pool } from 'outpool/multiprocessing'
import { beginJob, inputFiles, report } from './program.mjs'

const module = new URL('./facts.mjs', import.meta.url)
const fileFacts = moduleFunction(module, 'fileFacts')
const pool = new Pool({ initializer: moduleFunction(module, 'ready') })

// Every worker is up before the clock starts.
while (explain(pool).processes === 0 || explain(pool).workers.length < explain(pool).processes) await sleep(5)

const files = inputFiles()
const job = beginJob(files.length)
const progress = setInterval(() => job.advanceTo(filesDone(), explain(pool)), 20)
// Large files one by one, small ones many at a time: the workers are busy with files and not with calls.
const isLarge = ({ bytes }) => bytes >= 64 * 1024
const pathsOf = (some) => some.map(({ path }) => path)
const facts = await Promise.all([
  pool.map(fileFacts, pathsOf(files.filter(isLarge)), 1),
  pool.map(fileFacts, pathsOf(files.filter((file) => !isLarge(file))), 16),
])
clearInterval(progress)
job.advanceTo(files.length)
const took = job.end()
const where = explain(pool)
await pool.terminate()

await report(facts.flat(), took, where)

function filesDone() {
  return explain(pool).workers.reduce((sum, { items }) => sum + items, 0)
}
