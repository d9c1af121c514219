import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { expect } from 'chai'
import { linkPackages } from '../tools/link-packages.ts'
import { readText, root, runNode, tool, type ToolResult } from '../tools/tree.ts'

const compilers: readonly { readonly name: string; readonly path: string }[] = [
  { name: 'TypeScript 5.4', path: 'typescript-5.4/bin/tsc' },
  { name: 'TypeScript 7', path: 'typescript/bin/tsc' },
]
const resolutions: readonly Readonly<Record<string, string>>[] = [
  { module: 'nodenext', moduleResolution: 'nodenext' },
  { module: 'esnext', moduleResolution: 'bundler' },
]
/** The program about the shims, and where the other version of p-queue that they may be over is installed. */
const shims = { fixture: 'shims.ts', queue: 'p-queue-10' }
const manifest = JSON.parse(readText('package.json')) as { name: string; exports: Readonly<Record<string, unknown>> }
const entries = Object.keys(manifest.exports).filter((path) => !path.endsWith('.json'))
const fixtures = readdirSync(join(root, 'test/types')).filter(
  (name) => name.endsWith('.ts') && !name.endsWith('.test.ts'),
)

/** A program that is not ours: a folder of its own with our package installed, and a strict configuration of its own. */
class Consumer {
  readonly folder: string

  constructor(options: Readonly<Record<string, unknown>>) {
    mkdirSync(join(root, '.cache'), { recursive: true })
    this.folder = mkdtempSync(join(root, '.cache/consumer-'))
    linkPackages(this.folder)
    this.write('package.json', JSON.stringify({ name: 'consumer', private: true, type: 'module' }))
    const compilerOptions = {
      ...options,
      target: 'es2022',
      // The declarations of workerpool itself, which ours extend, use types of the DOM.
      lib: ['es2022', 'dom'],
      types: ['node'],
      strict: true,
      noEmit: true,
      // Our own declarations are what is tested; those of @types are written for newer compilers.
      skipLibCheck: false,
    }
    this.write('tsconfig.json', JSON.stringify({ compilerOptions, include: ['*.ts'] }))
  }

  write(name: string, text: string): void {
    writeFileSync(join(this.folder, name), text)
  }

  copy(fixture: string): void {
    cpSync(join(root, 'test/types', fixture), join(this.folder, basename(fixture)))
  }

  compile(compiler: string, ...options: readonly string[]): ToolResult {
    return runNode([tool(compiler), '-p', this.folder, '--pretty', 'false', ...options])
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true })
  }
}

/** The name of a program that has an error, which is to be told. */
const wrong = 'wrong.ts'

/** A main program that imports every entry, those of test/types, and one that imports what is not there. */
function write(consumer: Consumer, programs: readonly string[] = fixtures): void {
  const imports = entries.map((path, index) => `import * as entry${index} from '${manifest.name}${path.slice(1)}'`)
  const uses = entries.map((_, index) => `entry${index}`)
  consumer.write('main.ts', `${imports.join('\n')}\nexport const all: object[] = [${uses.join(', ')}]\n`)
  for (const fixture of programs) consumer.copy(fixture)
  consumer.write(wrong, `import { noSuchName } from '${manifest.name}'\nexport const x: unknown = noSuchName\n`)
}

describe('a program that uses the package', function () {
  // A tool takes as long as it takes.
  this.timeout(0)

  for (const compiler of compilers) {
    for (const resolution of resolutions) {
      describe(`with ${compiler.name}, ${resolution['moduleResolution']} resolution`, () => {
        let status: number | null
        /** What the compiler says, each with the lines that explain it. */
        let told: string[]

        // All of them at once: most of the time of a compiler goes into the declarations that they share.
        before(() => {
          const consumer = new Consumer(resolution)
          try {
            write(consumer)
            const result = consumer.compile(compiler.path)
            status = result.status
            told = result.output.split(/\n(?=\S)/)
          } finally {
            consumer.remove()
          }
        })

        const isOf =
          (...names: readonly string[]) =>
          (text: string): boolean =>
            names.some((name) => text.includes(`${name}(`))

        it('compiles against every entry', () => {
          expect(told.filter((text) => !isOf(...fixtures, wrong)(text))).deep.equal([])
        })

        it('compiles every program of test/types', () => {
          expect(fixtures).not.deep.equal([])
          expect(told.filter(isOf(...fixtures))).deep.equal([])
        })

        it('is told of a name that the package does not export', () => {
          expect(status).not.equal(0)
          expect(told.filter(isOf(wrong)).join('\n')).match(/^\S*wrong\.ts.*error TS2305.*$/)
        })
      })
    }
  }

  it('compiles where modules are found as they were before packages had exports', () => {
    const consumer = new Consumer({ module: 'commonjs', moduleResolution: 'node10', esModuleInterop: true })
    try {
      const uses = `export const pool: workerpool.Pool = workerpool.pool({ maxWorkers: 1 })`
      consumer.write('own.ts', `import workerpool from '${manifest.name}/workerpool'\n${uses}\n`)
      write(consumer, [])
      const { output } = consumer.compile('typescript-5.4/bin/tsc')
      expect(output.trim()).match(/^\S*wrong\.ts.*error TS2305.*$/)
    } finally {
      consumer.remove()
    }
  })

  it('compiles over the next version of p-queue, with the types of that', () => {
    // Whoever imports p-queue, our declarations as well, gets the other one.
    const paths = { 'p-queue': [join(root, 'node_modules', shims.queue, 'dist/index.d.ts')] }
    const consumer = new Consumer({ ...resolutions[0], paths })
    try {
      consumer.copy(shims.fixture)
      const { status, output } = consumer.compile('typescript/bin/tsc', '--listFiles')
      const [files, errors] = [/^\S*\.ts$/, /error TS/].map((wanted) =>
        output.split('\n').filter((line) => wanted.test(line)),
      )
      expect(errors).deep.equal([])
      expect(status).equal(0)
      const queues = new Set(files?.flatMap((path) => /node_modules\/(p-queue[^/]*)\//.exec(path)?.[1] ?? []))
      expect([...queues]).deep.equal([shims.queue])
    } finally {
      consumer.remove()
    }
  })
})
