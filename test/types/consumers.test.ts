import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { expect } from 'chai'
import { readText, root, runNode, tool, type ToolResult } from '../tools/tree.ts'

const compilers: readonly { readonly name: string; readonly path: string }[] = [
  { name: 'TypeScript 5.4', path: 'typescript-5.4/bin/tsc' },
  { name: 'TypeScript 7', path: 'typescript/bin/tsc' },
]
const resolutions: readonly Readonly<Record<string, string>>[] = [
  { module: 'nodenext', moduleResolution: 'nodenext' },
  { module: 'esnext', moduleResolution: 'bundler' },
]
const manifest = JSON.parse(readText('package.json')) as { name: string; exports: Readonly<Record<string, unknown>> }
const entries = Object.keys(manifest.exports).filter((path) => !path.endsWith('.json'))
const fixtures = readdirSync(join(root, 'test/types')).filter(
  (name) => name.endsWith('.ts') && !name.endsWith('.test.ts'),
)

/** A program that is not ours: a folder of its own with our package installed, and a strict configuration of its own. */
class Consumer {
  readonly folder: string

  constructor(options: Readonly<Record<string, string>>) {
    mkdirSync(join(root, '.cache'), { recursive: true })
    this.folder = mkdtempSync(join(root, '.cache/consumer-'))
    mkdirSync(join(this.folder, 'node_modules'))
    symlinkSync(root, join(this.folder, 'node_modules', manifest.name))
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

  compile(compiler: string): ToolResult {
    return runNode([tool(compiler), '-p', this.folder, '--pretty', 'false'])
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true })
  }
}

describe('a program that uses the package', () => {
  for (const compiler of compilers) {
    for (const resolution of resolutions) {
      describe(`with ${compiler.name}, ${resolution['moduleResolution']} resolution`, () => {
        let consumer: Consumer

        beforeEach(() => {
          consumer = new Consumer(resolution)
        })

        afterEach(() => consumer.remove())

        it('compiles against every entry', () => {
          const imports = entries.map(
            (path, index) => `import * as entry${index} from '${manifest.name}${path.slice(1)}'`,
          )
          const uses = entries.map((_, index) => `entry${index}`)
          consumer.write('main.ts', `${imports.join('\n')}\nexport const all: object[] = [${uses.join(', ')}]\n`)
          const { status, output } = consumer.compile(compiler.path)
          expect(status, output).equal(0)
        })

        it('compiles every program of test/types', function () {
          if (fixtures.length === 0) {
            console.log('        skipped: no program in test/types yet')
            this.skip()
          }
          for (const fixture of fixtures) consumer.copy(fixture)
          const { status, output } = consumer.compile(compiler.path)
          expect(status, output).equal(0)
        })

        it('is told of a name that the package does not export', () => {
          consumer.write(
            'main.ts',
            `import { noSuchName } from '${manifest.name}'\nexport const x: unknown = noSuchName\n`,
          )
          const { status, output } = consumer.compile(compiler.path)
          expect(status).not.equal(0)
          expect(output).match(/main\.ts.*error TS2305/)
        })
      })
    }
  }
})
