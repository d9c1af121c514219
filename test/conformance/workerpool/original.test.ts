/** The suite against the package itself: it proves that the suite tells what the original does. */
import { conformanceSuite, type Workerpool } from './suite.ts'

const load = async (): Promise<Workerpool> => import('workerpool')

conformanceSuite({
  name: 'the original, processes',
  load,
  options: { workerType: 'process' },
  can: { events: true, abortListeners: true, structuredClone: false, forkOptions: true, processes: true },
})

conformanceSuite({
  name: 'the original, threads',
  load,
  options: { workerType: 'thread' },
  can: { events: true, abortListeners: true, structuredClone: true, forkOptions: false, processes: false },
})
