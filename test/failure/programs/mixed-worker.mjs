import workerpool from 'workerpool'
import { job } from './mixed-tasks.mjs'

workerpool.worker({ job })
