/** Why a function cannot be shipped, and what to do about it, in words that name the exact place. Pure. */
import type { FreeVariable, FunctionAnalysis, PlaceBoundSyntax } from './free-variables.ts'
import { commonJsRemedy } from './standard-globals.ts'

export interface Refusal {
  /** Follows "remote(name): it ". */
  readonly reason: string
  readonly remedy: string
  /** Would be as wrong for the export of a module. */
  readonly everywhere?: true
  /** It is about variables, whose values can go along with the function. */
  readonly captured?: true
}

/** Those that are left when the values of variables go along with the function. */
export function standsInTheWay(all: readonly Refusal[]): readonly Refusal[] {
  return all.filter(({ captured }) => captured !== true)
}

/** The sentence of a refusal, standing alone; `naming` is what names an export of a module. */
export function refusalText({ reason, remedy }: Refusal, naming: string = 'remote'): string {
  return `it ${reason}. ${remedy.replace('remote(new URL(', `${naming}(new URL(`)}`
}

/**
 * What ties the function to this process; empty when it can be shipped as source.
 *
 * `name` is the function's own. `shadowed` says of a standard global's name whether here it is a variable of the code
 * around the function.
 */
export function refusals(
  analysis: FunctionAnalysis,
  name: string,
  shadowed: (name: string) => boolean,
): readonly Refusal[] {
  if (analysis.kind !== 'function') return [wholeRefusal(analysis, name)]
  const captured = analysis.freeVariables.filter((variable) => isCaptured(variable, shadowed))
  return [...nameRefusals(captured, name), ...syntaxRefusals(analysis.placeBound, name)]
}

function isCaptured({ name, typeofOnly, standardGlobal }: FreeVariable, shadowed: (name: string) => boolean): boolean {
  if (name === injectedHelper) return false
  return standardGlobal || typeofOnly ? shadowed(name) : true
}

/** esbuild (and tsx, with it) calls this in function bodies to keep names; `load` provides it. */
export const injectedHelper = '__name'

function exportRemedy(name: string, start = 'Export'): string {
  return `${start} the function from a module and use ${exportCall(name)}.`
}

function exportCall(name: string): string {
  return `remote(new URL('./tasks.js', import.meta.url), '${/^[\w$]+$/.test(name) ? name : 'handler'}')`
}

function wholeRefusal(analysis: Exclude<FunctionAnalysis, { kind: 'function' }>, name: string): Refusal {
  switch (analysis.kind) {
    case 'class':
      return {
        reason: 'is a class, not a function',
        remedy: 'Pass a function that makes the instance and calls it.',
        everywhere: true,
      }
    case 'accessor':
      return { reason: 'is a getter or setter', remedy: 'Pass a function that reads the property of its argument.' }
    case 'native':
      return name.startsWith('bound ')
        ? {
            reason: 'is a bound function, whose text and receiver cannot be read',
            remedy: 'Pass the function itself, and what it was bound to as arguments.',
          }
        : {
            reason: 'is a native function or a proxy, whose text cannot be read',
            remedy: 'Wrap it in a function that names it: (...args) => Math.max(...args).',
          }
    case 'unparsable':
      return { reason: `has a text that cannot be analysed: ${analysis.reason}`, remedy: exportRemedy(name) }
  }
}

const coverageName = /^(cov_\w+|__cov\w*|__coverage__|_\$jscoverage|stry\w*_\w+)$/
const compilerHelper =
  /^(__(async|asyncGenerator|await|awaiter|forAwait|generator|yield\w*|spread\w*|objRest|rest|values|read|assign|public\w*|private\w*|classPrivate\w*|decorate\w*|toESM|toCommonJS|commonJS|require|import\w*|export\w*|template|pow|using|callDispose|earlyAccess|runInitializers|esDecorate|addDisposableResource|disposeResources)|_asyncToGenerator|_objectSpread\w*|_classPrivate\w*|_defineProperty|_interopRequire\w*|tslib_\d+)$/

function nameRefusals(captured: readonly FreeVariable[], name: string): readonly Refusal[] {
  const out: Refusal[] = []
  const plain: FreeVariable[] = []
  const instrumented = captured.find((variable) => coverageName.test(variable.name))
  if (instrumented !== undefined) {
    out.push({
      reason: `was instrumented for coverage: ${used(instrumented)} is a counter that only exists in this process`,
      remedy:
        'Exclude its file from the instrumentation, or measure with c8 (NODE_V8_COVERAGE), which adds no counters.',
    })
  }
  for (const variable of captured) {
    if (coverageName.test(variable.name)) continue
    const remedy = commonJsRemedy(variable.name)
    if (remedy !== undefined) {
      const reason = `uses ${used(variable)}, which a shipped function does not have`
      out.push({ reason, remedy, ...(isPath(variable.name) && { captured: true }) })
    } else if (variable.name === name) {
      out.push({
        reason: `calls or reads itself through the variable ${used(variable)}, which is not defined inside it`,
        remedy: `Write it as a function with a name of its own: function ${name}(...) { ... }`,
        captured: true,
      })
    } else if (compilerHelper.test(variable.name)) {
      out.push({
        reason: `uses ${used(variable)}, a helper that a compiler or bundler put into its file`,
        remedy: `Compile for a newer target (es2022), or export the function from a module and name it: ${exportCall(name)}.`,
        captured: true,
      })
    } else {
      plain.push(variable)
    }
  }
  return plain.length === 0 ? out : [plainRefusal(plain, name), ...out]
}

/** They are texts, which stay true of the file that the function was written in. */
function isPath(name: string): boolean {
  return name === '__dirname' || name === '__filename' || name === 'exports'
}

function used({ name, line }: FreeVariable): string {
  return `'${name}' (line ${String(line)})`
}

function plainRefusal(variables: readonly FreeVariable[], name: string): Refusal {
  const many = variables.length > 1
  const them = many ? 'them' : 'it'
  const arguments_ = many ? 'arguments' : 'an argument'
  return {
    reason: `uses ${list(variables.map(used))}, which ${many ? 'are' : 'is'} not defined inside it`,
    remedy: `Pass ${them} as ${arguments_}, define ${them} inside the function, or ${exportRemedy(name, 'export')}`,
    captured: true,
  }
}

function list(items: readonly string[]): string {
  return items.length < 2 ? items.join('') : `${items.slice(0, -1).join(', ')} and ${items.at(-1) ?? ''}`
}

const syntaxRemedies: Readonly<Record<PlaceBoundSyntax['syntax'], (use: PlaceBoundSyntax) => [string, string]>> = {
  this: () => ["'this' of the code around the arrow function", 'Pass what it needs of it as an argument.'],
  'new.target': () => ["'new.target' of the code around the arrow function", 'Pass it as an argument.'],
  arguments: () => ["'arguments' of the code around the arrow function", 'Use rest parameters: (...args) => ...'],
  super: () => ["'super', the parent of the object that the method belongs to", 'Pass the object as an argument.'],
  'import.meta': () => ["'import.meta', the module that it was written in", 'Pass the URL as an argument.'],
  'private name': ({ detail }) => [
    `the private name '${detail}' of the class around it`,
    'Pass the value as an argument, or add a public method.',
  ],
  'direct eval': () => [
    "a direct 'eval', which may read any variable around it",
    'Use (0, eval)(text) or new Function(text), which only see globals.',
  ],
  with: () => ["a 'with' statement, which hides what its names refer to", 'Name the properties: object.property.'],
  'relative import': ({ detail }) => [
    `import('${detail}'), a path relative to the module that it was written in`,
    'Import a package by its name, or pass new URL(path, import.meta.url).href as an argument and import that.',
  ],
}

function syntaxRefusals(uses: readonly PlaceBoundSyntax[], name: string): readonly Refusal[] {
  const seen = new Set<string>()
  const out: Refusal[] = []
  for (const use of uses) {
    const key = `${use.syntax} ${use.detail}`
    if (seen.has(key)) continue
    seen.add(key)
    const [what, remedy] = syntaxRemedies[use.syntax](use)
    const otherwise = use.syntax === 'direct eval' || use.syntax === 'with' ? '' : ` ${exportRemedy(name, 'Or export')}`
    out.push({ reason: `uses ${what} (line ${String(use.line)})`, remedy: remedy + otherwise })
  }
  return out
}
