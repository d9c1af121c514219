/** Whether this process is one of Outpool's workers, as modules ask that Node preloads before that has begun. */
import process from 'node:process'
import { workerEntry } from '../runtime/cluster/worker-entry.ts'

/** The process may show another main file later, when it hosts a worker script. */
export const startedAsWorker: boolean = process.argv[1] === workerEntry()
