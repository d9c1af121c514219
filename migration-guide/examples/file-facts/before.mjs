import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import workerpool from 'workerpool'
import { beginJob, inputFiles, report } from './program.mjs'

const workers = availableParallelism()
const pool = workerpool.pool(fileURLToPath(new URL('./worker.mjs', import.meta.url)), { maxWorkers: workers })

// Every worker is up before the clock starts.
await Promise.all(Array.from({ length: workers }, () => pool.exec('ready')))

const files = inputFiles()
const job = beginJob(files.length)
const facts = await Promise.all(
  files.map(async ({ path }) => {
    const result = await pool.exec('facts', [path])
    job.advance(1)
    return result
  }),
)
const took = job.end()
await pool.terminate()

await report(facts, took)
