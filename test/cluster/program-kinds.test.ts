import { execFile } from 'node:child_process'
import { createRequire } from 'node:module'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { expect } from 'chai'
import { build, stop } from 'esbuild'
import { Project } from './bare-nodes.ts'

const run = promisify(execFile)
const library = new URL('../../dist/lib/index.js', import.meta.url).href
const loader = pathToFileURL(fileURLToPath(import.meta.resolve('tsx'))).href

/** A program in TypeScript with a worker file in TypeScript beside it. */
const files = {
  'package.json': '{"type": "module"}',
  'main.ts': `import { remote, shutdown } from '${library}'
const worker: URL = new URL('./worker.ts', import.meta.url)
const add = remote<(a: number, b: number) => number>(worker, 'add')
const error: Error = await remote<() => never>(worker, 'fail').run().catch((thrown: unknown) => thrown as Error)
console.log(JSON.stringify({ sum: await add.run(1, 2), stack: error.stack }))
await shutdown()
`,
  'worker.ts': `import { sum } from './sum.ts'
export const add = (a: number, b: number): number => sum([a, b])
export const fail = (): never => {
  const values: readonly number[] = []
  throw new RangeError(\`sum of \${sum(values)}\`)
}
`,
  'sum.ts': `import lodash from 'lodash'
export const sum = (values: readonly number[]): number => lodash.sum(values) as number
`,
}

describe('a worker file in TypeScript', () => {
  let project: Project
  before(async () => {
    project = new Project(files)
    const common = { entryPoints: [project.path('main.ts')], format: 'esm' as const, platform: 'node' as const }
    await build({ ...common, outfile: project.path('compiled.mjs') })
    await build({ ...common, outfile: project.path('bundled.mjs'), bundle: true, minify: true, external: [library] })
    // It would keep its process.
    await stop()
  })
  after(() => project.remove())

  const kinds: readonly (readonly [program: string, args: readonly string[]])[] = [
    ['compiled', ['compiled.mjs']],
    ['bundled and minified', ['bundled.mjs']],
    ['run with an import that reads no TypeScript', ['--import', 'data:text/javascript,', 'compiled.mjs']],
    ['TypeScript run by tsx', ['--import', loader, 'main.ts']],
    ...('typescript' in process.features ? ([['TypeScript run by Node', ['main.ts']]] as const) : []),
  ]
  for (const [program, args] of kinds) {
    it(`runs in the workers of a program that is ${program}, and its errors name its lines`, async () => {
      const env = { ...process.env, NODE_OPTIONS: '' }
      const { stdout } = await run(process.execPath, args, { cwd: project.folder, env })
      const { sum, stack } = JSON.parse(stdout) as { sum: number; stack: string }
      expect(sum).to.equal(3)
      expect(stack)
        .to.contain('RangeError: sum of 0')
        .and.contain(`${project.path('worker.ts')}:5:`)
    })
  }
})

describe('a program in CommonJS whose TypeScript is read by a hook of require', () => {
  it('has its worker scripts and modules read by that hook, too', async () => {
    // As ts-node/register and @swc-node/register do it; enums are what Node itself would not read.
    const hooked = new Project({
      'package.json': '{"type": "commonjs"}',
      'esbuild-hook.cjs': `const { transformSync } = require(${JSON.stringify(createRequire(import.meta.url).resolve('esbuild'))})
require('node:module')._extensions['.ts'] = (module, file) => {
  const source = require('node:fs').readFileSync(file, 'utf8')
  module._compile(transformSync(source, { loader: 'ts', format: 'cjs', sourcefile: file }).code, file)
}
`,
      'main.ts': `import { remote, shutdown } from '${fileURLToPath(library)}'
import workerpool from '${fileURLToPath(new URL('../../dist/compat/workerpool/index.js', import.meta.url))}'
async function main(): Promise<void> {
  const pool = workerpool.pool(\`\${__dirname}/worker.ts\`, { maxWorkers: 1 })
  const fromScript: unknown = await pool.exec('mode', [])
  await pool.terminate()
  const fromModule = await remote<() => string>(\`file://\${__dirname}/modes.ts\`, 'mode').run()
  console.log(JSON.stringify([fromScript, fromModule]))
  await shutdown()
}
void main()
`,
      'worker.ts': `import workerpool from 'workerpool'
import { mode } from './modes'
if (require.main === module) workerpool.worker({ mode })
`,
      'modes.ts': `enum Mode { Fast = 'fast', Slow = 'slow' }
export const mode = (): Mode => Mode.Slow
`,
    })
    try {
      const args = ['--require', hooked.path('esbuild-hook.cjs'), hooked.path('main.ts')]
      const env = { ...process.env, NODE_OPTIONS: '' }
      const { stdout } = await run(process.execPath, args, { cwd: hooked.folder, env })
      expect(JSON.parse(stdout)).deep.equal(['slow', 'slow'])
    } finally {
      hooked.remove()
    }
  })
})

describe('a program whose working folder has been removed, as that of an old release is', () => {
  it('runs, and its tasks have one', async () => {
    const program = new Project({
      'main.mjs': `import { remote, shutdown } from '${library}'
const where = remote(() => process.cwd())
console.log(await where.run())
await shutdown()
`,
    })
    try {
      const command = 'mkdir gone && cd gone && rmdir ../gone && exec "$0" "$1"'
      const args = ['-c', command, process.execPath, program.path('main.mjs')]
      const { stdout } = await run('sh', args, { cwd: program.path('.') })
      expect(stdout).to.equal('/\n')
    } finally {
      program.remove()
    }
  })
})
