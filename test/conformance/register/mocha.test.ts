/** mocha runs files in parallel in a pool of `workerpool`: by registration alone, in one of Outpool's. */
import { expect } from 'chai'
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { root } from '../../tools/tree.ts'

const run = promisify(execFile)
const mocha = join(root, 'node_modules/mocha/bin/mocha.js')

/** In the folder of Outpool, as its own developers have it. */
async function parallel(node: readonly string[], args: readonly string[]): Promise<string> {
  const command = [
    ...node,
    mocha,
    '--no-config',
    '--parallel',
    '--jobs',
    '2',
    '--timeout',
    '110000',
    '--reporter',
    'dot',
  ]
  const { stdout } = await run(process.execPath, [...command, ...args], {
    cwd: root,
    env: { ...process.env, NODE_OPTIONS: '' },
  })
  return stdout
}

describe('mocha --parallel', () => {
  it('runs its files on workers of Outpool', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'm-'))
    try {
      const text = `it('is in a worker of Outpool', () => {
        if (globalThis[Symbol.for('outpool.process.1')]?.kind !== 'worker') throw new Error('it is not')
      })`
      for (const name of ['one', 'two', 'three']) writeFileSync(join(folder, `${name}.spec.cjs`), text)
      const out = await parallel(['--import', 'outpool/register'], [join(folder, '*.spec.cjs')])
      expect(out).to.match(/3 passing/)
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })

  it("runs Outpool's own unit tests there, TypeScript and all", async () => {
    const files = ['--extension', 'ts', 'test/unit/{base,scheduler}/*.test.ts']
    const out = await parallel(['--import', 'tsx', '--import', 'outpool/register', '--expose-gc'], files)
    expect(out).to.match(/[1-9]\d passing/)
    expect(out).to.not.match(/failing/)
  })
})
