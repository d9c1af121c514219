import { ThreadWorker } from 'poolifier'
import { burn, ends, noop } from '../tasks.mjs'

export default new ThreadWorker({ burn, ends, noop })
