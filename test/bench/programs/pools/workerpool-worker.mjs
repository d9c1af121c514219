import workerpool from 'workerpool'
import { burn, ends, noop } from '../tasks.mjs'

workerpool.worker({ burn, ends, noop })
