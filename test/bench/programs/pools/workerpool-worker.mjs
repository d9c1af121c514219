import workerpool from 'workerpool'
import { burn, ends, noop, timedBurn } from '../tasks.mjs'

workerpool.worker({ burn, ends, noop, timedBurn })
