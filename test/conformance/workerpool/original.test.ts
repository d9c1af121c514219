/** The suite against the package itself: it proves that the suite tells what the original does. */
import { usePlainWorkers } from '../../cluster/support.ts'
import { boundSuite } from './bound.ts'
import { flightSuite } from './flight.ts'
import { conformanceSuite, type Subject, type Workerpool } from './suite.ts'

const load = async (): Promise<Workerpool> => import('workerpool')

describe('workerpool: the original', () => {
  usePlainWorkers()

  const processes: Subject = {
    name: 'the original, processes',
    load,
    options: { workerType: 'process' },
    can: { events: true, abortListeners: true, structuredClone: false, forkOptions: true, processes: true },
  }
  conformanceSuite(processes)
  flightSuite(processes)

  const threads: Subject = {
    name: 'the original, threads',
    load,
    options: { workerType: 'thread', workerThreadOpts: { execArgv: [] } },
    can: { events: true, abortListeners: true, structuredClone: true, forkOptions: false, processes: false },
  }
  conformanceSuite(threads)
  boundSuite(threads)
})
