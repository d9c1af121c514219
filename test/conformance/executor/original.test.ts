/** The scenarios on Python itself: it proves that the expected outcomes are the original's. Needs `python3`. */
import { expect } from 'chai'
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { scenarios } from './suite.ts'

const run = promisify(execFile)

describe("executor: the original, Python's", () => {
  let outcomes: Record<string, unknown>

  before(async function () {
    const version = await run('python3', ['--version']).catch(() => undefined)
    if (version === undefined) this.skip()
    const { stdout } = await run('python3', [fileURLToPath(new URL('original.py', import.meta.url))])
    outcomes = JSON.parse(stdout) as Record<string, unknown>
  })

  it('plays the same scenarios', () => {
    expect(Object.keys(outcomes).sort()).to.deep.equal(Object.keys(scenarios).sort())
  })

  for (const [name, { expected }] of Object.entries(scenarios)) {
    it(name, () => {
      expect(outcomes[name]).to.deep.equal(expected)
    })
  }
})
