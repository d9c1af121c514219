/**
 * `outpool check`: what a program hands to pools and queues, and whether that ships. It reads source files and runs
 * nothing: a function is looked at with stand-ins for what it captures, so what cannot be told from the text may stay.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { extname, join, relative } from 'node:path'
import nodeModule, { SourceMap, type SourceMapPayload } from 'node:module'
import type { AnyNode } from 'acorn'
import { analyse } from '../../runtime/code/analysis/verdict.ts'
import { analyseFunction, freeVariables } from '../../runtime/code/free-variables.ts'
import { refusals, standsInTheWay } from '../../runtime/code/refusal.ts'
import { isStandardGlobal } from '../../runtime/code/standard-globals.ts'
import { withEsbuild } from '../../runtime/code/modules/esbuild.ts'
import { missingVariables } from './check-environment.ts'
import { isFunction, isInertClass, SourceFile, type HandedFunction, type LineOf } from './check-source.ts'
import { CommandError, exitCodes } from './exit-codes.ts'
import { coloured, counted } from './tables.ts'

export interface CheckFlags {
  readonly json?: true
}

export interface Checked {
  readonly file: string
  /** Of the file, from 1; as are the lines that the reasons name. */
  readonly line: number
  readonly call: string
  /** `ships`: it moves. `may stay`: that is decided when the program runs. `stays`: it does not. */
  readonly verdict: 'ships' | 'may stay' | 'stays' | 'unknown'
  readonly reasons: readonly string[]
}

const scripts = new Set(['.js', '.mjs', '.cjs', '.jsx', '.ts', '.mts', '.cts', '.tsx'])

export async function check(paths: readonly string[], flags: CheckFlags): Promise<void> {
  const files = (paths.length === 0 ? ['.'] : paths).flatMap((path) => filesIn(path))
  const all: Checked[] = []
  for (const file of files) all.push(...(await checkFile(file)))
  if (flags.json === true) return console.log(JSON.stringify({ files: files.length, calls: all }, undefined, 2))
  for (const one of all) console.log(describe(one))
  const count = (verdict: Checked['verdict']): number => all.filter((one) => one.verdict === verdict).length
  const [ships, may, stays, unknown] = [count('ships'), count('may stay'), count('stays'), count('unknown')]
  console.log(
    `${counted(all.length, 'call')} in ${counted(files.length, 'file')}: ${ships} ship, ${may} may stay, ${stays} stay, ${unknown} unknown`,
  )
}

function filesIn(path: string): string[] {
  const facts = statSync(path, { throwIfNoEntry: false })
  if (facts === undefined) throw new CommandError(`there is no ${path}`, exitCodes.usage)
  if (facts.isFile()) return [path]
  return readdirSync(path, { withFileTypes: true })
    .filter(({ name }) => name !== 'node_modules' && !name.startsWith('.'))
    .flatMap((entry) => {
      const below = join(path, entry.name)
      if (entry.isDirectory()) return filesIn(below)
      return scripts.has(extname(entry.name)) && !/\.d\.[cm]?ts$/.test(entry.name) ? [below] : []
    })
    .sort()
}

async function checkFile(file: string): Promise<Checked[]> {
  const shown = relative(process.cwd(), file) || file
  let source: SourceFile
  try {
    const { text, lineOf } = await javaScriptOf(file)
    source = new SourceFile(text, lineOf)
  } catch (error) {
    const reasons = [`it could not be read: ${(error as Error).message}`]
    return [{ file: shown, line: 0, call: '(file)', verdict: 'unknown', reasons }]
  }
  return source.handed.map((handed) => ({
    file: shown,
    line: handed.line,
    call: handed.call,
    ...judge(source, handed),
  }))
}

async function javaScriptOf(file: string): Promise<{ readonly text: string; readonly lineOf?: LineOf }> {
  const text = readFileSync(file, 'utf8')
  const kind = extname(file)
  const loader = kind === '.jsx' ? 'jsx' : kind === '.tsx' ? 'tsx' : /ts$/.test(kind) ? 'ts' : undefined
  if (loader === undefined) return { text }
  const { stripTypeScriptTypes } = nodeModule as { stripTypeScriptTypes?: (text: string) => string }
  try {
    if (loader === 'ts' && stripTypeScriptTypes !== undefined) return { text: stripTypeScriptTypes(text) }
  } catch {
    // Enums and the like: esbuild knows them.
  }
  return withEsbuild(file, async (tool) => {
    if (tool === undefined) {
      const what = loader === 'ts' ? 'TypeScript on this Node' : 'JSX'
      throw new Error(`for ${what} esbuild is needed: npm install --save-dev esbuild`)
    }
    const stdin = { contents: text, loader, sourcefile: file } as const
    const as = { write: false, format: 'esm', jsx: 'automatic', sourcemap: 'external', outfile: 'checked.js' } as const
    // What it says of errors is in what it throws.
    const { outputFiles } = await tool.build({ stdin, ...as, logLevel: 'silent' })
    const [map, code] = outputFiles.map((output) => output.text)
    const places = new SourceMap(JSON.parse(map ?? '{}') as SourceMapPayload)
    const lineOf: LineOf = (line, column) => {
      const entry = places.findEntry(line - 1, column)
      return 'originalLine' in entry ? entry.originalLine + 1 : line
    }
    return { text: code ?? '', lineOf }
  })
}

function judge(source: SourceFile, { fn, placement, variables }: HandedFunction): Pick<Checked, 'verdict' | 'reasons'> {
  if (typeof fn === 'string') return { verdict: 'ships', reasons: [`'${fn}' is a method of the worker script`] }
  if (fn === undefined) return { verdict: 'unknown', reasons: ['the function is not written in this file'] }
  const missing = missingVariables(variables)
  if (fn.type === 'Program') return { verdict: 'ships', reasons: ['a worker script, with what it imports', ...missing] }
  const refused = refusedFor(source, fn)
  if (refused.length > 0) return { verdict: 'stays', reasons: refused }
  const made = new Models(source).instance(fn)
  if (made === undefined) return { verdict: 'unknown', reasons: ['the function cannot be looked at by itself'] }
  const { verdict, reasons } = analyse(made)
  const said = reasons.map(({ message, line, within }) => {
    const by = within === undefined ? fn : source.declared.get(within)
    const place = by === undefined ? `(of ${within ?? 'it'}, line ${line})` : `(line ${source.lineIn(by, line)})`
    return message
      .replace(`(line ${line})`, place)
      .replace('a native or bound function, which cannot be looked into', 'which is not written in this file')
  })
  if (placement === 'always') {
    // It moves in any case; what it would lose there is refused when it is called.
    return verdict === 'keep'
      ? { verdict: 'stays', reasons: said }
      : { verdict: 'ships', reasons: [...said, ...missing] }
  }
  return { verdict: verdict === 'ship' ? 'ships' : verdict === 'keep' ? 'stays' : 'may stay', reasons: said }
}

/** What ties a function to the place where it is written, whatever its variables are. */
function refusedFor(source: SourceFile, fn: AnyNode): string[] {
  if (!source.isModule) return []
  const found = refusals(analyseFunction(source.text.slice(fn.start, fn.end)), '', (name) => source.declared.has(name))
  return standsInTheWay(found)
    .map(({ reason }) => reason)
    .filter((reason) => /^uses /.test(reason))
    .map((reason) => `it ${reason.replace(/\(line (\d+)\)/, (_, line) => `(line ${source.lineIn(fn, Number(line))})`)}`)
}

/** Functions and classes of a file that exist without having been run, around stand-ins for what they capture. */
class Models {
  readonly #source: SourceFile
  readonly #made = new Map<AnyNode, ((...args: unknown[]) => unknown) | undefined>()

  constructor(source: SourceFile) {
    this.#source = source
  }

  instance(node: AnyNode): ((...args: unknown[]) => unknown) | undefined {
    if (this.#made.has(node)) return this.#made.get(node)
    this.#made.set(node, undefined)
    try {
      const text = this.#source.text.slice(node.start, node.end)
      const names = freeVariables(text)
        .map(({ name }) => name)
        .filter((name) => this.#source.declared.has(name) || !isStandardGlobal(name))
        .filter((name) => name !== 'arguments')
      const values = names.map((name) => this.#standIn(this.#source.declared.get(name)))
      // oxlint-disable-next-line typescript/no-implied-eval -- it makes the function, and calls nothing of it
      const make = new Function(...names, `'use strict';return (${text}\n)`) as (...given: unknown[]) => unknown
      const made = make(...values)
      if (typeof made !== 'function') return undefined
      this.#made.set(node, made as () => unknown)
      return made as () => unknown
    } catch {
      return undefined
    }
  }

  /** A number for a number, a function for a function: what is not known is something that others could see, too. */
  #standIn(init: AnyNode | undefined): unknown {
    switch (init?.type) {
      case 'Literal':
        return 'regex' in init ? /./ : init.value
      case 'TemplateLiteral':
        return ''
      case 'UnaryExpression':
      case 'BinaryExpression':
        return 1
      case 'ArrayExpression':
        return []
      default:
        return init !== undefined && (isFunction(init) || isInertClass(init))
          ? (this.instance(init) ?? notHere())
          : notHere()
    }
  }
}

/** Something with properties, that may be called, and that has no text. */
function notHere(): unknown {
  return (() => undefined).bind(undefined)
}

function describe({ file, line, call, verdict, reasons }: Checked): string {
  const tone = verdict === 'ships' ? 'green' : verdict === 'stays' ? 'yellow' : 'dim'
  const head = `${file}:${line}  ${call}  ${coloured(tone, verdict)}`
  return [head, ...reasons.map((reason) => `    ${reason}`)].join('\n')
}
