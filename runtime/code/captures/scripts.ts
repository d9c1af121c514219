/**
 * The files that functions come from, by the ids that the inspector gives them: URL and text as they are loaded, that is
 * after TypeScript, bundlers and loaders have had their way.
 *
 * The debugger knows them all, and is the last that is asked: once it was on, for however short, V8 (its PromiseHook
 * protector) does not compile the making of promises into its callers any more, in all of the process, and a program that
 * does little but make promises is some 8 % slower from then on. V8's coverage as it is, for which nothing is turned on,
 * tells the URL and the length of each script of which it still has code that has run, in a few milliseconds; a text is
 * read from its file where that is certainly the one that was loaded (`script-texts.ts`).
 */
import type * as Inspector from 'node:inspector'
import { BoundedMap } from '../../base/bounded-map.ts'
import { ask, inspectorSession, witnessOf } from './scopes.ts'
import { requiredFileOf, sourceMapUrlIn, textOf, type ScriptFacts } from './script-texts.ts'

export interface Script {
  /** '' for text that was evaluated. */
  readonly url: string
  readonly isModule: boolean
}

/** What the debugger says is all there; what coverage says lacks `isModule` and `sourceMapUrl`. */
interface Facts extends ScriptFacts {
  readonly isModule?: boolean
  readonly sourceMapUrl?: string
}

const scripts = new Map<string, Facts>()
const texts = new BoundedMap<string, string>(256, {
  readingRenews: true,
  maxWeight: 32 * 1024 * 1024,
  weightOf: (_, text) => text.length,
})
/** What is spared by asking others first is lost then. */
let debuggerWasOn = false

/** Of a script of which a function was read before; undefined where this Node cannot tell. */
export function scriptOf(scriptId: string): Script | undefined {
  let facts = factsOf(scriptId)
  let isModule = facts?.isModule ?? witnessOf(scriptId)?.isModule
  if (facts !== undefined && isModule === undefined) {
    facts = debuggerFacts(scriptId)
    isModule = facts?.isModule
  }
  return facts === undefined || isModule === undefined ? undefined : { url: facts.url, isModule }
}

/** The text of a script as it runs. */
export function scriptText(scriptId: string): string | undefined {
  const known = texts.get(scriptId)
  if (known !== undefined) return known
  const facts = factsOf(scriptId)
  const witness = witnessOf(scriptId)
  const text =
    (facts === undefined || witness === undefined ? undefined : textOf(facts, witness)) ??
    withDebugger(
      (on) =>
        ask<Inspector.Debugger.GetScriptSourceReturnType>(on, 'Debugger.getScriptSource', { scriptId }).scriptSource,
    )
  if (text !== undefined) texts.set(scriptId, text)
  return text
}

/** Of its source map, as the script says; '' where it says none. */
export function sourceMapUrlOf(scriptId: string): string {
  const known = factsOf(scriptId)?.sourceMapUrl
  if (known !== undefined) return known
  return sourceMapUrlIn(scriptText(scriptId) ?? '') ?? debuggerFacts(scriptId)?.sourceMapUrl ?? ''
}

function factsOf(scriptId: string): Facts | undefined {
  const known = scripts.get(scriptId)
  if (known !== undefined) return known
  if (!debuggerWasOn && !findRequired(scriptId)) readCoverage()
  return scripts.get(scriptId) ?? debuggerFacts(scriptId)
}

function debuggerFacts(scriptId: string): Facts | undefined {
  withDebugger(() => undefined)
  return scripts.get(scriptId)
}

function readCoverage(): void {
  const on = inspectorSession()
  if (on === undefined) return
  let result: Inspector.Profiler.ScriptCoverage[]
  try {
    ;({ result } = ask<Inspector.Profiler.GetBestEffortCoverageReturnType>(on, 'Profiler.getBestEffortCoverage', {}))
  } catch {
    return
  }
  for (const { scriptId, url, functions } of result) {
    const [first] = functions
    const range = first?.ranges[0]
    if (first === undefined || range === undefined || scripts.has(scriptId)) continue
    // What ran first of all is the script itself, as long as it is kept.
    if (range.startOffset === 0 && first.functionName === '') scripts.set(scriptId, { url, length: range.endOffset })
    else scripts.set(scriptId, { url, ends: endsOf(functions) })
  }
}

/** Enough of them that a text in which others stand is found out. */
const maxFunctions = 16

function endsOf(functions: readonly Inspector.Profiler.FunctionCoverage[]): readonly number[] {
  return functions
    .slice(0, maxFunctions)
    .flatMap(({ ranges: [range] }) => (range === undefined ? [] : [range.startOffset, range.endOffset]))
}

/** V8 does not keep the code of a CommonJS file once it has run, and of its functions nothing may have run yet. */
function findRequired(scriptId: string): boolean {
  const witness = witnessOf(scriptId)
  const url = witness === undefined ? undefined : requiredFileOf(witness)
  if (url !== undefined) scripts.set(scriptId, { url })
  return url !== undefined
}

function withDebugger<T>(use: (session: Inspector.Session) => T): T | undefined {
  const on = inspectorSession()
  if (on === undefined) return undefined
  debuggerWasOn = true
  const parsed = ({ params }: { params: Inspector.Debugger.ScriptParsedEventDataType }): void => {
    scripts.set(params.scriptId, {
      url: params.url,
      isModule: params.isModule === true,
      sourceMapUrl: params.sourceMapURL ?? '',
      ...(params.length !== undefined && { length: params.length }),
    })
  }
  on.on('Debugger.scriptParsed', parsed)
  try {
    ask(on, 'Debugger.enable', {})
    return use(on)
  } catch {
    return undefined
  } finally {
    on.post('Debugger.disable')
    on.off('Debugger.scriptParsed', parsed)
  }
}
