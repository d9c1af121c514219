/** Joins, says how that went, and leaves. */
import { init, shutdown } from 'outpool'
import { end } from './report.mjs'

const startedAt = performance.now()
const error = await init().then(
  () => undefined,
  (reason) => reason,
)
const waitedMs = performance.now() - startedAt
await shutdown()
await end({ waitedMs, name: error?.name ?? '', message: error?.message ?? '' })
