/** The option `runtimeEnv`: what a task finds around it on the node that runs it. As given, checked, compiled. */
import { isAbsolute, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { defaultPackOptions, type NpmChoice, type PackOptions } from '../runtime/code/modules/manifest.ts'
import { checkNames } from './options.ts'

export interface RuntimeEnv {
  /**
   * How packages that cannot be part of a bundle (binaries, mostly) reach a node:
   * - `'vendor'` (default): the installed folders are shipped; nodes need no registry, but the same system, processor and
   *   C library where there are binaries.
   * - `'install'`: the node runs the package manager of the project's lockfile, once per lockfile.
   * - `'never'`: nothing is shipped; the node has them at the same path and in the same version.
   */
  readonly npm?: NpmChoice
  /** Whether `npm: 'install'` may run the install scripts of packages. Default false. */
  readonly installScripts?: boolean
  /**
   * A folder that is shipped as it is, and is the working folder of the tasks: a path, or a `file:` URL. Modules in it run
   * from their files, without a bundle. Default: no folder, and modules are shipped on their own.
   */
  readonly workingDir?: string | URL
  /** Patterns of what is shipped of a folder, by paths in it: `['src/**', 'data/*.json']`. Default: everything. */
  readonly include?: readonly string[]
  /** Patterns of what is not. `node_modules`, `.git` and files of secrets such as `.env` never are, unless included. */
  readonly exclude?: readonly string[]
  /** Variables that the workers get, beside PATH, HOME, LANG and TZ of their node. */
  readonly env?: Readonly<Record<string, string>>
}

export interface CompiledRuntimeEnv {
  readonly pack: PackOptions
  readonly env: Readonly<Record<string, string>>
}

const known: readonly (keyof RuntimeEnv)[] = ['npm', 'installScripts', 'workingDir', 'include', 'exclude', 'env']
const choices: readonly NpmChoice[] = ['vendor', 'install', 'never']
/** What a request for a worker carries of it. */
const maxEnvironmentBytes = 32 * 1024

export const noRuntimeEnv: CompiledRuntimeEnv = { pack: defaultPackOptions, env: {} }

/** `base` is what holds where it says nothing; variables are joined. Throws TypeError or RangeError naming the option. */
export function compileRuntimeEnv(
  given: RuntimeEnv,
  caller: string,
  base: CompiledRuntimeEnv = noRuntimeEnv,
): CompiledRuntimeEnv {
  const where = `${caller}: runtimeEnv`
  checkNames(given, known, where)
  const { npm, installScripts, workingDir, include, exclude, env = {} } = given
  if (npm !== undefined && !choices.includes(npm))
    throw new TypeError(`${where}.npm must be 'vendor', 'install' or 'never', not ${JSON.stringify(npm)}`)
  if (installScripts !== undefined && typeof installScripts !== 'boolean')
    throw new TypeError(`${where}.installScripts must be true or false`)
  checkPatterns(include, `${where}.include`)
  checkPatterns(exclude, `${where}.exclude`)
  return {
    pack: {
      npm: npm ?? base.pack.npm,
      installScripts: installScripts ?? base.pack.installScripts,
      workingDir: workingDir === undefined ? base.pack.workingDir : folderOf(workingDir, `${where}.workingDir`),
      include: include ?? base.pack.include,
      exclude: exclude ?? base.pack.exclude,
      apart: base.pack.apart,
    },
    env: { ...base.env, ...checkVariables(env, `${where}.env`) },
  }
}

function folderOf(given: unknown, name: string): string {
  if (typeof given === 'string' && given !== '' && !given.startsWith('file:'))
    return isAbsolute(given) ? given : resolve(given)
  try {
    return fileURLToPath(given as URL)
  } catch (cause) {
    throw new TypeError(`${name} must be a path or a file: URL of a folder, not ${String(given)}`, { cause })
  }
}

function checkPatterns(given: unknown, name: string): void {
  if (given === undefined) return
  if (!Array.isArray(given) || !given.every((pattern) => typeof pattern === 'string' && pattern !== ''))
    throw new TypeError(`${name} must be an array of patterns, such as ['src/**']`)
}

function checkVariables(given: unknown, name: string): Record<string, string> {
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    throw new TypeError(`${name} must be an object of strings`)
  const variables: Record<string, string> = {}
  let bytes = 0
  for (const [variable, value] of Object.entries(given) as [string, unknown][]) {
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(variable) || typeof value !== 'string' || value.includes('\0'))
      throw new TypeError(`${name}.${variable} must be a string without zero bytes, under a plain name`)
    variables[variable] = value
    bytes += variable.length + Buffer.byteLength(value)
  }
  if (bytes > maxEnvironmentBytes)
    throw new RangeError(
      `${name} has ${bytes} bytes; at most ${maxEnvironmentBytes} are allowed. Put large values into files.`,
    )
  return variables
}
