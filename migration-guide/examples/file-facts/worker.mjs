import workerpool from 'workerpool'
import { fileFacts, ready } from './facts.mjs'

workerpool.worker({ facts: fileFacts, ready })
