/** What a text does, with lines, kept by text. */
import { withoutMaking } from '../class-text.ts'
import { analyseFunction, type FunctionAnalysis } from '../free-variables.ts'
import { lineStarts, parseFunction, position } from '../parse-function.ts'
import { textCache } from '../text-cache.ts'
import { walkFunction } from './alias-walk.ts'
import type { Source } from './sources.ts'
import type { BehaviourEvent, Call } from './walker.ts'

export interface TextBehaviour {
  readonly analysis: FunctionAnalysis
  /** Each with the line of the text that it stands in, from 1. */
  readonly events: readonly { readonly event: BehaviourEvent; readonly line: number }[]
  readonly calls: ReadonlyMap<number, Call>
  readonly returned: readonly Source[]
  /** What it puts into objects. */
  readonly puts: readonly Source[]
  /** All of the text was followed; there is a limit to it. */
  readonly isWhole: boolean
  /** Of the names of globals in it, which are variables around it; filled in when they are looked for. */
  readonly shadowed: Map<string, boolean>
}

const cache = textCache<TextBehaviour>()

export function behaviourOf(text: string): TextBehaviour {
  return cache.getOrMake(text, look)
}

function look(text: string): TextBehaviour {
  const analysis = analyseFunction(text)
  const done = analysis.kind === 'class' ? withoutMaking(analysis) : text
  const parsed = parseFunction(done)
  if (parsed.kind !== 'function' && parsed.kind !== 'class')
    return { analysis, events: [], calls: new Map(), returned: [], puts: [], isWhole: true, shadowed: new Map() }
  const { events, returned, puts, isWhole } = walkFunction(parsed.node, parsed.strict)
  const starts = lineStarts(done)
  const placed = events.map((event) => ({ event, line: position(starts, event.start - parsed.prefixLength).line }))
  const calls = new Map(events.flatMap((event) => (event.kind === 'call' ? [[event.end, event] as const] : [])))
  return { analysis, events: placed, calls, returned, puts, isWhole, shadowed: new Map() }
}
