/** All soaks by name. */
import * as scale from './scale.ts'
import type { Soak } from './soak.ts'
import * as workersKilled from './workers-killed.ts'

export const soaks: Readonly<Record<string, Soak>> = {
  scale: scale.counted,
  million: scale.million,
  'workers-killed': workersKilled.retried,
  'workers-once': workersKilled.notRetried,
}
