/**
 * Mocha's root hooks. They give the run its id and a temporary folder of its own, unless `npm test` did, and add a check
 * to every file of the suites that start processes: after it, nothing is left behind.
 */
import { randomBytes } from 'node:crypto'
import { mkdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { assertNoLeaks, takeSnapshot } from './leaks.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
const checkedFolders = /^test\/(cluster|failure)\//

let ownFolder: string | undefined
if (process.env['OUTPOOL_TEST_RUN'] === undefined) {
  const mark = `ot-${randomBytes(4).toString('hex')}`
  ownFolder = join(tmpdir(), mark)
  mkdirSync(ownFolder, { mode: 0o700 })
  process.env['OUTPOOL_TEST_RUN'] = mark
  process.env['TMPDIR'] = ownFolder
}

export const mochaHooks: Mocha.RootHookObject = {
  async beforeAll(this: Mocha.Context): Promise<void> {
    // Mocha's own timer of a hook starts with its first turn: it is then in both snapshots.
    await nextTurn()
    const before = takeSnapshot()
    for (const suite of this.test?.parent?.suites ?? []) {
      if (suite.file === undefined || !checkedFolders.test(relative(root, suite.file))) continue
      // Added after the file's own hooks, so it runs after them.
      suite.afterAll('leaves no process, socket or file behind', () => assertNoLeaks(before))
    }
  },
  afterAll(): void {
    if (ownFolder !== undefined) rmSync(ownFolder, { recursive: true, force: true })
  },
}
