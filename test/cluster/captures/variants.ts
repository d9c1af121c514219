/** The program of the cases in the forms in which programs come, each in a folder with the packages that it imports. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { build, stop, type BuildOptions } from 'esbuild'
import { linkPackages } from '../../tools/link-packages.ts'

const root = fileURLToPath(new URL('../../../', import.meta.url))
const sources = fileURLToPath(new URL('./', import.meta.url))
/** All but this file and declarations; the first is the program. */
const names = ['run.ts', ...readdirSync(sources).filter((name) => /^(?!run|variants)[\w-]+\.ts$/.test(name))]
const programs = names.map((name) => join(sources, name))

export interface Variant {
  /** Arguments of node. */
  readonly args: readonly string[]
}

interface Form {
  /** The first major of Node that has it; 20 unless given. */
  readonly from?: number
  make(folder: string): Promise<Variant>
}

/** What `play` plays, by name. */
export const variants: Readonly<Record<string, Form>> = {
  'ES modules': { make: async (folder) => ({ args: [await compiled(folder, 'esm', '.mjs')] }) },
  'CommonJS modules': { make: async (folder) => ({ args: [await compiled(folder, 'cjs', '.cjs')] }) },
  'compiled with source maps': {
    make: async (folder) => ({ args: ['--enable-source-maps', await compiled(folder, 'esm', '.mjs', true)] }),
  },
  'TypeScript, by tsx': { make: (folder) => Promise.resolve({ args: ['--import', tsx(), copied(folder)] }) },
  'TypeScript, by Node itself': { from: 24, make: (folder) => Promise.resolve({ args: [copied(folder)] }) },
  'a minified bundle': {
    make: async (folder) => {
      const outfile = join(folder, 'bundle.mjs')
      await build({
        ...common,
        entryPoints: [programs[0] as string],
        bundle: true,
        minify: true,
        format: 'esm',
        outfile,
      })
      return { args: [outfile] }
    },
  },
  'a worker thread': {
    make: async (folder) => {
      const program = await compiled(folder, 'esm', '.mjs')
      const main = join(folder, 'main.mjs')
      const url = JSON.stringify(pathToFileURL(program).href)
      writeFileSync(main, `import { Worker } from 'node:worker_threads'\nnew Worker(new URL(${url}))\n`)
      return { args: [main] }
    },
  },
}

const common: BuildOptions = { packages: 'external', platform: 'node', target: 'node20', logLevel: 'silent' }

function tsx(): string {
  return pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href
}

async function compiled(
  folder: string,
  format: 'esm' | 'cjs',
  extension: string,
  sourcemap: boolean = false,
): Promise<string> {
  const outExtension = { '.js': extension }
  await build({ ...common, entryPoints: programs, outdir: folder, format, outExtension, sourcemap })
  for (const name of readdirSync(folder)) {
    if (!name.endsWith(extension)) continue
    const text = readFileSync(join(folder, name), 'utf8')
    const renamed = text.replace(/(["']\.\/[\w-]+)\.ts(["'])/g, `$1${extension}$2`)
    // The files of one program know each other's default exports, whatever they were compiled to.
    writeFileSync(join(folder, name), renamed.replace(/(require\("\.\/[\w-]+\.cjs"\)), 1\)/g, '$1)'))
  }
  return join(folder, `run${extension}`)
}

/** The sources as they are, beside the packages that they import. */
function copied(folder: string): string {
  for (const name of names) copyFileSync(join(sources, name), join(folder, name))
  writeFileSync(join(folder, 'package.json'), '{ "private": true, "type": "module" }')
  return join(folder, 'run.ts')
}

/** Packages of which `import` and `require` do not have the same. */
const packages: Readonly<Record<string, string>> = {
  'only-import/package.json': JSON.stringify({
    name: 'only-import',
    version: '1.0.0',
    type: 'module',
    exports: { types: './index.d.ts', import: './index.js' },
  }),
  // Its tokens are known by a set that no other copy of the module has.
  'only-import/index.js': `
    const made = new WeakSet()
    export class Token { constructor(text) { this.text = text; made.add(this) } }
    export const make = (text) => new Token(text)
    function isToken(value) { return made.has(value) }
    export { isToken as knows }
    export default function whole(text) { return knowsAll() + text }
    const knowsAll = () => String(made instanceof WeakSet)`,
  'by-condition/package.json': JSON.stringify({
    name: 'by-condition',
    version: '2.0.0',
    exports: { './sub': { browser: './none.js', import: './sub.mjs', require: './sub.cjs' } },
  }),
  'by-condition/sub.mjs': 'const by = "import"; export const both = (value) => `${by} ${value}`',
  'by-condition/sub.cjs': 'const by = "require"; exports.both = (value) => `${by} ${value}`',
}

/** Ends the compiler that runs beside this process. */
export async function endCompiler(): Promise<void> {
  await stop()
}

export interface Played {
  /** What was not as here, one line for each. */
  readonly differs: readonly string[]
  /** How much was played, where all of it was. */
  readonly whole: string | undefined
  readonly output: string
}

/** Plays the cases in one form of the program. `node`: the executable. */
export async function play(name: string, node?: string): Promise<Played> {
  const output = await outputOf(name, node ?? process.execPath)
  const differs = output.split('\n').filter((line) => line.startsWith('DIFFERS'))
  return { differs, whole: /^PLAYED (.+)$/m.exec(output)?.[1], output }
}

async function outputOf(name: string, node: string): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'captures-'))
  try {
    linkPackages(folder, { acorn: 'acorn', lodash: 'lodash' })
    for (const [path, text] of Object.entries(packages)) {
      mkdirSync(dirname(join(folder, 'node_modules', path)), { recursive: true })
      writeFileSync(join(folder, 'node_modules', path), text)
    }
    const form = variants[name]
    if (form === undefined) throw new Error(`no such form of the program: ${name}`)
    const { args } = await form.make(folder)
    // The tests' own loader is not for the program.
    const { NODE_OPTIONS: _options, ...env } = process.env
    const child = spawn(node, args, { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => (output += text))
    await once(child, 'close')
    return output
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
