import { describeOriginal } from '../python.ts'
import { scenarios } from './suite.ts'

/** Python's RuntimeError is JavaScript's Error. */
const inOurWords = (outcome: unknown): unknown =>
  JSON.parse(JSON.stringify(outcome).replaceAll('"RuntimeError"', '"Error"'))

describeOriginal('multiprocessing', new URL('original.py', import.meta.url), scenarios, inOurWords)
