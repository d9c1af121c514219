import { describeOriginal } from '../python.ts'
import { scenarios } from './suite.ts'

describeOriginal('executor', new URL('original.py', import.meta.url), scenarios)
