/**
 * What a worker inherits. Both lists name what may pass: a worker that got everything would open the debugger's port
 * of its parent, run its `--eval`, or carry its secrets into other people's code.
 */
import { existsSync } from 'node:fs'
import { startFolder, workingFolder } from '../base/working-folder.ts'

const nodeOptions = 'NODE_OPTIONS'

/**
 * Variables that a worker gets from the process that starts it. Whom to trust, where to write down what happens, and
 * which names lead to shims, is no secret and holds for all of a node.
 */
const passedVariables = [
  'PATH',
  'HOME',
  'LANG',
  'LC_ALL',
  'TZ',
  'TMPDIR',
  'NODE_ENV',
  'OUTPOOL_TLS_CA',
  'NODE_EXTRA_CA_CERTS',
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
  'OUTPOOL_EVENTS',
  'OUTPOOL_CHAOS',
  'OUTPOOL_HOME',
  'OUTPOOL_SHIMS',
  'OUTPOOL_SITES',
  'XDG_CONFIG_HOME',
  'NODE_DISABLE_COMPILE_CACHE',
  'OUTPOOL_TEST_RUN',
] as const

/** Whether a worker has that variable where its node has it. */
export function isPassedVariable(name: string): boolean {
  return name === nodeOptions || (passedVariables as readonly string[]).includes(name)
}

type Variables = Readonly<Record<string, string>>

/** What of the variables of this process any process gets that it starts. */
export function childEnvironment(source: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const environment: Record<string, string> = {}
  for (const name of passedVariables) {
    const value = source[name]
    if (value !== undefined) environment[name] = value
  }
  return environment
}

/**
 * That of a worker. What `NODE_OPTIONS` says stays there: tasks find none of it in `process.execArgv`, which threads may be
 * given, where what V8 is told is refused; and what they start has it, too.
 */
export function workerEnvironment(
  source: Readonly<Record<string, string | undefined>>,
  extra: Variables = {},
): Variables {
  const options = passedOf(splitOptions(source[nodeOptions] ?? ''))
  const own = options.length === 0 ? {} : { [nodeOptions]: options.map(quoted).join(' ') }
  return withVariables({ ...childEnvironment(source), ...own }, extra)
}

/** `extra` over `environment`; of `NODE_OPTIONS` it says what is added. */
export function withVariables(environment: Variables, extra: Variables): Variables {
  const { [nodeOptions]: own } = environment
  const { [nodeOptions]: added } = extra
  const all = own === undefined || added === undefined || added === own ? {} : { [nodeOptions]: `${own} ${added}` }
  return { ...environment, ...extra, ...all }
}

/** Options of Node that change how modules are found and loaded, how errors look, or how much memory there is. */
const passedOptions = new Set([
  '--import',
  '--require',
  '-r',
  '--loader',
  '--experimental-loader',
  '--conditions',
  '-C',
  '--preserve-symlinks',
  '--experimental-strip-types',
  '--no-experimental-strip-types',
  '--experimental-transform-types',
  '--experimental-require-module',
  '--no-experimental-require-module',
  '--experimental-vm-modules',
  '--experimental-wasm-modules',
  '--enable-source-maps',
  '--stack-trace-limit',
  '--no-warnings',
  '--disable-warning',
  '--no-deprecation',
  '--throw-deprecation',
  '--unhandled-rejections',
  '--max-old-space-size',
  '--max-semi-space-size',
  '--stack-size',
  '--expose-gc',
  '--icu-data-dir',
  '--use-openssl-ca',
  '--use-bundled-ca',
  '--tls-min-v1.2',
])
/** Of these, the ones whose value may be the next argument. */
const takesValue = new Set([
  '--import',
  '--require',
  '-r',
  '--loader',
  '--experimental-loader',
  '--conditions',
  '-C',
  '--disable-warning',
  '--unhandled-rejections',
  '--icu-data-dir',
])

/** Those that name modules, which Node looks for from the working folder. */
const namesModules = /^(?:--import|--require|-r|--loader|--experimental-loader)(?:=|$)/

/**
 * Where a worker with these options begins, and in which folder it goes on, where that is another one: the program may
 * have changed its folder since it has loaded the modules that its options name.
 */
export function foldersFor(
  execArgv: readonly string[],
  environment: Variables,
): { readonly cwd?: string; readonly next: readonly string[] } {
  const now = workingFolder()
  const options = [...splitOptions(environment[nodeOptions] ?? ''), ...execArgv]
  if (now === startFolder || !options.some((option) => namesModules.test(option)) || !existsSync(startFolder))
    return { next: [] }
  return { cwd: startFolder, next: [now] }
}

/** The arguments of Node for workers of this process. */
export function childExecArgv(): string[] {
  return passedOf(process.execArgv)
}

/** All options of this process that its workers get: those of `NODE_OPTIONS` first, as Node itself reads them. */
export function childOptions(): string[] {
  return [...passedOf(splitOptions(process.env[nodeOptions] ?? '')), ...childExecArgv()]
}

/** Those that may pass, with their values. */
function passedOf(all: readonly string[]): string[] {
  const passed: string[] = []
  for (let i = 0; i < all.length; i++) {
    const option = all[i] as string
    const equals = option.indexOf('=')
    const name = (equals < 0 ? option : option.slice(0, equals)).replace(/_/g, '-')
    if (!passedOptions.has(name)) continue
    passed.push(option)
    const value = all[i + 1]
    if (equals < 0 && takesValue.has(name) && value !== undefined) {
      passed.push(value)
      i++
    }
  }
  return passed
}

function quoted(option: string): string {
  return /^[^\s"\\]+$/.test(option) ? option : `"${option.replace(/["\\]/g, '\\$&')}"`
}

/** Splits as Node does: at blanks, unless in double quotes; a backslash takes the next character as it is. */
function splitOptions(text: string): string[] {
  const parts: string[] = []
  let part: string | undefined
  let quoted = false
  for (let i = 0; i < text.length; i++) {
    const character = text.charAt(i)
    if (character === '\\' && quoted && i + 1 < text.length) part = (part ?? '') + text.charAt(++i)
    else if (character === '"') {
      quoted = !quoted
      part ??= ''
    } else if (character === ' ' && !quoted) {
      if (part !== undefined) parts.push(part)
      part = undefined
    } else part = (part ?? '') + character
  }
  if (part !== undefined) parts.push(part)
  return parts
}
