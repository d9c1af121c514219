/** Pools of a subject, and a folder for what their tasks write: both are gone behind each test. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Pool, WorkerPoolOptions } from 'workerpool'
import type { Subject, Workerpool } from './suite.ts'

export interface SubjectPools {
  /** The package, once the tests run. */
  readonly workerpool: Workerpool
  /** Of the test that runs. */
  readonly folder: string
  /** A pool with the options of the subject and these; of `file`, where there is one. */
  create(file: string | undefined, options?: WorkerPoolOptions): Pool
}

export function usePools(subject: Subject): SubjectPools {
  let workerpool: Workerpool
  let folder: string
  let pools: Pool[] = []

  before(async () => {
    workerpool = await subject.load()
  })
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'workerpool-suite-'))
  })
  afterEach(async () => {
    await Promise.all(pools.map(async (pool) => pool.terminate(true)))
    pools = []
    rmSync(folder, { recursive: true, force: true })
  })

  return {
    get workerpool() {
      return workerpool
    },
    get folder() {
      return folder
    },
    create(file, options = {}) {
      const all = { ...subject.options, ...options }
      const pool = file === undefined ? workerpool.pool(all) : workerpool.pool(file, all)
      pools.push(pool)
      return pool
    },
  }
}
