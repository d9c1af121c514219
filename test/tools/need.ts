/** Outside tools that some tests need: without them a test is skipped by name, except on CI, where it fails. */
import { spawnSync } from 'node:child_process'

/** Call it first in a test or a `before`. `command` is looked up in PATH; `install` is the next step for people. */
export function needTool(context: Mocha.Context, command: string, install: string): void {
  const { status } = spawnSync('sh', ['-c', 'command -v "$1"', 'sh', command], { stdio: 'ignore' })
  if (status === 0) return
  const message = `needs ${command}, which is not installed here: ${install}`
  if (process.env['CI']) throw new Error(message)
  console.log(`      skipped: ${message}`)
  context.skip()
}
