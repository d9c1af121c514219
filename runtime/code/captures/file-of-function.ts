/** The file that a function was written in, as far as it tells of the variables around the function. */
import { BoundedMap } from '../../base/bounded-map.ts'
import { FileBindings } from '../analysis/file-bindings.ts'
import { variablesSetUntil } from '../evaluate-source.ts'
import { lineStarts } from '../parse-function.ts'
import { importsOfScript } from './module-references.ts'
import type { FunctionScopes } from './scopes.ts'
import { scriptOf, scriptText } from './scripts.ts'

export interface FileOfFunction {
  readonly url: string
  readonly bindings: FileBindings
  /** Where in the file the function begins. */
  readonly offset: number
  /** What happens before is how the variables got their values: those of a function that came from elsewhere. */
  readonly givenUntil: number
  isImport(name: string): boolean
}

interface KnownFile {
  readonly url: string
  readonly bindings: FileBindings
  readonly starts: readonly number[]
  readonly givenUntil: number
}

const maxFiles = 64
const files = new BoundedMap<string, KnownFile | null>(maxFiles)
/** Larger texts are not looked into: it would take as long as they are large. */
const maxTextLength = 4 * 1024 * 1024

/** Undefined where the inspector does not tell, or the text cannot be read. */
export function fileOf(location: FunctionScopes['location']): FileOfFunction | undefined {
  if (location === undefined) return undefined
  const { scriptId, line, column } = location
  const known = files.getOrMake(scriptId, readFile)
  if (known === null) return undefined
  const { url, bindings, starts, givenUntil } = known
  const offset = (starts[line] ?? 0) + column
  return { url, bindings, offset, givenUntil, isImport: (name) => importsOfScript(scriptId).has(name) }
}

function readFile(scriptId: string): KnownFile | null {
  const script = scriptOf(scriptId)
  const text = script === undefined || script.url.startsWith('node:') ? undefined : scriptText(scriptId)
  if (script === undefined || text === undefined || text.length > maxTextLength) return null
  try {
    return {
      url: script.url,
      bindings: new FileBindings(text, script.isModule),
      starts: lineStarts(text),
      givenUntil: variablesSetUntil(text),
    }
  } catch {
    return null
  }
}
