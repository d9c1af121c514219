import { sayOnce } from './serve.mjs'

const start = performance.now()
await import('outpool')
sayOnce(performance.now() - start)
