import workerpool from 'workerpool'
import { sayOnce } from './serve.mjs'

const pool = workerpool.pool({ workerType: process.argv[2] })
sayOnce(await pool.exec((a, b) => a + b, [1, 2]))
await pool.terminate()
