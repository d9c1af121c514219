import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import workerpool from 'outpool/workerpool'
import { beginJob, inputBatches, report } from './program.mjs'

const workers = availableParallelism()
const pool = workerpool.pool(fileURLToPath(new URL('./worker.mjs', import.meta.url)), { maxWorkers: workers })

// Every worker is up before the clock starts.
await Promise.all(Array.from({ length: workers }, () => pool.exec('ready')))

const { batches, count } = inputBatches()
const job = beginJob(count)
const facts = await Promise.all(
  batches.map(async (paths) => {
    const result = await pool.exec('facts', [paths])
    job.advance(paths.length)
    return result
  }),
)
const took = job.end()
await pool.terminate()

await report(facts.flat(), took)
