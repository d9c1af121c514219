import { execFile } from 'node:child_process'
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
