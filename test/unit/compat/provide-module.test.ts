import { expect } from 'chai'
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)
const root = fileURLToPath(new URL('../../../', import.meta.url))
const source = fileURLToPath(new URL('../../../compat/shared/provide-module.ts', import.meta.url))

/** Runs scripts one after the other in a process where the name `workerpool` was given another meaning for them. */
async function hosted(...scripts: string[]): Promise<string> {
  const lines = scripts.flatMap((script) => [
    `provideModule('workerpool', { worker: () => 'the shim', pool: undefined }, ${JSON.stringify(script)})`,
    `await import(${JSON.stringify(script)})`,
  ])
  const host = [`import { provideModule } from ${JSON.stringify(source)}`, ...lines].join('\n')
  const { stdout, stderr } = await run(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', host], {
    cwd: root,
  })
  expect(stderr).to.equal('')
  return stdout
}

describe('provideModule', () => {
  let inside: string
  let outside: string
  before(() => {
    // Inside the package its dependency is found from the script; outside no copy of it is.
    inside = mkdtempSync(join(root, 'node_modules/.outpool-test-'))
    outside = mkdtempSync(join(tmpdir(), 'outpool-test-'))
    for (const folder of [inside, outside]) {
      writeFileSync(
        join(folder, 'esm.mjs'),
        `import workerpool, { worker } from 'workerpool'\nconsole.log(worker(), workerpool.worker())`,
      )
      writeFileSync(join(folder, 'cjs.cjs'), `console.log(require('workerpool').worker())`)
      writeFileSync(join(folder, 'mixed.cjs'), `console.log(require('workerpool').worker()); import('./esm.mjs')`)
    }
  })
  after(() => {
    for (const folder of [inside, outside]) rmSync(folder, { recursive: true, force: true })
  })

  it('gives the name to scripts in ESM and in CommonJS, and to what these import', async () => {
    const scripts = ['cjs.cjs', 'mixed.cjs'].map((name) => join(inside, name))
    expect(await hosted(...scripts)).to.equal('the shim\nthe shim\nthe shim the shim\n')
  })

  it('gives the name to scripts that cannot find the package', async () => {
    const scripts = ['esm.mjs', 'cjs.cjs'].map((name) => join(outside, name))
    expect(await hosted(...scripts)).to.equal('the shim the shim\nthe shim\n')
  })
})
