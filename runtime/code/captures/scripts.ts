/**
 * The files that functions come from, by the ids that the inspector gives them: URL and text as they are loaded, that is
 * after TypeScript, bundlers and loaders have had their way.
 *
 * The debugger domain tells them, and slows down every `await` while it is on: it is enabled for one moment, a few
 * milliseconds, when a function of a file that is not known yet comes by. Something stays: once a debugger was there, V8
 * (its PromiseHook protector) does not compile the making of promises into its callers any more, in all of the process; a
 * program that does little but make promises is some 8 % slower from then on.
 */
import type * as Inspector from 'node:inspector'
import { BoundedMap } from '../../base/bounded-map.ts'
import { ask, inspectorSession } from './scopes.ts'

export interface Script {
  /** '' for text that was evaluated. */
  readonly url: string
  readonly isModule: boolean
  /** Of its source map, as the script says; '' where it says none. */
  readonly sourceMapUrl: string
}

const scripts = new Map<string, Script>()
const texts = new BoundedMap<string, string>(256, {
  readingRenews: true,
  maxWeight: 32 * 1024 * 1024,
  weightOf: (_, text) => text.length,
})

/** Undefined where this Node cannot tell. */
export function scriptOf(scriptId: string): Script | undefined {
  if (!scripts.has(scriptId)) withDebugger(() => undefined)
  return scripts.get(scriptId)
}

/** The text of a script as it runs. */
export function scriptText(scriptId: string): string | undefined {
  const known = texts.get(scriptId)
  if (known !== undefined) return known
  const text = withDebugger(
    (on) =>
      ask<Inspector.Debugger.GetScriptSourceReturnType>(on, 'Debugger.getScriptSource', { scriptId }).scriptSource,
  )
  if (text !== undefined) texts.set(scriptId, text)
  return text
}

function withDebugger<T>(use: (session: Inspector.Session) => T): T | undefined {
  const on = inspectorSession()
  if (on === undefined) return undefined
  const parsed = ({ params }: { params: Inspector.Debugger.ScriptParsedEventDataType }): void => {
    scripts.set(params.scriptId, {
      url: params.url,
      isModule: params.isModule === true,
      sourceMapUrl: params.sourceMapURL ?? '',
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
