import workerpool from 'workerpool'
import { fileFacts, ready } from './facts.mjs'

workerpool.worker({ facts: (paths) => paths.map((path) => fileFacts(path)), ready })
