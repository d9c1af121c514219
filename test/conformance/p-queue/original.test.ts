/** The suite against the packages themselves: it proves that the suite tells what the originals do. */
import type { PQueueModule } from './subject.ts'
import { conformanceSuite } from './suite.ts'

conformanceSuite({ name: 'the original, 9', major: 9, load: () => import('p-queue') })
conformanceSuite({
  name: 'the original, 10',
  major: 10,
  load: () => import('p-queue-10') as unknown as Promise<PQueueModule>,
})
