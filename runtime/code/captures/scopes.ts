/**
 * The variables around a function, read through V8's own inspector: their values, not copies of them.
 *
 * One session is kept for the life of the process; of its domains none is ever enabled here, so it costs nothing
 * between reads (`scripts.ts` may have to enable the debugger for one moment, and says what stays of that). A read costs
 * 80-150 microseconds. Where this Node has no inspector, or may not use it, nothing can be read: `readScopes` says so.
 */
import type * as Inspector from 'node:inspector'
import { createRequire } from 'node:module'
import vm from 'node:vm'
import { BoundedMap } from '../../base/bounded-map.ts'
import { whileNothingLoads } from '../common-js-exports.ts'

export interface FunctionScopes {
  /** From the innermost outwards, without the global object. `description`: 'Module', 'Closure (make)', 'Script' ... */
  readonly scopes: readonly { readonly description: string; readonly variables: Readonly<Record<string, unknown>> }[]
  /** Where the function begins; both count from 0. */
  readonly location: { readonly scriptId: string; readonly line: number; readonly column: number } | undefined
}

/** A function that was read, for what it tells of its script. */
export interface Witness {
  readonly fn: WeakRef<Function>
  /** Whether the script is an ES module. */
  readonly isModule: boolean
  /** Where the function begins; both count from 0. */
  readonly line: number
  readonly column: number
}

/** What the inspector calls the outermost scope of an ES module. */
const moduleScope = 'Module'

const maxWitnesses = 2000
const witnesses = new BoundedMap<string, Witness>(maxWitnesses)

/** A function of that script. Undefined where none was read, or so many of other scripts since. */
export function witnessOf(scriptId: string): Witness | undefined {
  return witnesses.get(scriptId)
}

function noteWitness(fn: Function, { scopes, location }: FunctionScopes): void {
  if (location === undefined || witnesses.get(location.scriptId)?.fn.deref() !== undefined) return
  const { scriptId, line, column } = location
  const isModule = scopes.some(({ description }) => description === moduleScope)
  witnesses.set(scriptId, { fn: new WeakRef(fn), isModule, line, column })
}

const probeKey = Symbol.for('outpool.scopes.probe')

interface Probe {
  readonly fn: Function
  take(scopes: ArrayLike<{ readonly description: string; readonly object: object }>): void
}

let session: Inspector.Session | undefined | null

/** The session of this process; undefined where the inspector is not to be had. */
export function inspectorSession(): Inspector.Session | undefined {
  if (session === undefined) {
    try {
      const inspector = createRequire(import.meta.url)('node:inspector') as typeof Inspector
      session = new inspector.Session()
      session.connect()
    } catch {
      session = null
    }
  }
  return session ?? undefined
}

/** One request to the inspector; in this process its answer arrives before `post` returns. */
export function ask<T>(to: Inspector.Session, method: string, parameters: object): T {
  let answer: T | undefined
  let failure: Error | null = null
  to.post(method, parameters, (error, result) => {
    failure = error
    answer = result as T
  })
  if (failure !== null) throw new Error(`the inspector refused ${method}: ${JSON.stringify(failure)}`)
  if (answer === undefined) throw new Error(`the inspector did not answer ${method}`)
  return answer
}

/** What was read since `readingOnce` began. */
let readings: Map<Function, FunctionScopes | undefined> | undefined

/** While `body` runs, which must be synchronous and run nothing of the program, each function is read once. */
export function readingOnce<T>(body: () => T): T {
  if (readings !== undefined) return body()
  readings = new Map()
  try {
    return whileNothingLoads(body)
  } finally {
    readings = undefined
  }
}

/** Undefined where this Node cannot tell. */
export function readScopes(fn: Function): FunctionScopes | undefined {
  if (readings === undefined) return readNow(fn)
  let reading = readings.get(fn)
  if (reading === undefined && !readings.has(fn)) readings.set(fn, (reading = readNow(fn)))
  return reading
}

function readNow(fn: Function): FunctionScopes | undefined {
  const on = inspectorSession()
  if (on === undefined) return undefined
  const found: FunctionScopes['scopes'][number][] = []
  // Those that the inspector sees: a test runner may give modules others.
  const globals = vm.runInThisContext('globalThis') as { [probeKey]?: Probe }
  globals[probeKey] = {
    fn,
    take: (scopes) => {
      for (let i = 0; i < scopes.length; i++) {
        const { description, object } = scopes[i] as { description: string; object: object }
        if (object === globalThis || description === 'Global') continue
        found.push({ description, variables: object as Readonly<Record<string, unknown>> })
      }
    },
  }
  try {
    const read = { scopes: found, location: readWith(on) }
    noteWitness(fn, read)
    return read
  } catch {
    return undefined
  } finally {
    Reflect.deleteProperty(globals, probeKey)
    on.post('Runtime.releaseObjectGroup', { objectGroup })
  }
}

const objectGroup = 'outpool'
const probeExpression = `globalThis[Symbol.for(${JSON.stringify(probeKey.description)})]`

function readWith(on: Inspector.Session): FunctionScopes['location'] {
  const { result } = ask<Inspector.Runtime.EvaluateReturnType>(on, 'Runtime.evaluate', {
    expression: `${probeExpression}.fn`,
    objectGroup,
    silent: true,
  })
  const { internalProperties = [] } = ask<Inspector.Runtime.GetPropertiesReturnType>(on, 'Runtime.getProperties', {
    objectId: result.objectId,
    ownProperties: true,
  })
  const internal = (wanted: string): Inspector.Runtime.RemoteObject | undefined =>
    internalProperties.find(({ name }) => name === wanted)?.value
  const scopes = internal('[[Scopes]]')
  if (scopes?.objectId === undefined) throw new Error('the inspector did not show the scopes')
  ask(on, 'Runtime.callFunctionOn', {
    objectId: scopes.objectId,
    functionDeclaration: `function () { ${probeExpression}.take(this) }`,
    silent: true,
  })
  const at = internal('[[FunctionLocation]]')?.value as Inspector.Debugger.Location | undefined
  return at === undefined ? undefined : { scriptId: at.scriptId, line: at.lineNumber, column: at.columnNumber ?? 0 }
}

/**
 * Names of the variables around `fn` that some function uses; undefined where this Node cannot tell. Whether `URL` in a
 * text is the global, or an import of that name, the text cannot say.
 */
export function capturedNames(fn: Function): ReadonlySet<string> | undefined {
  const found = readScopes(fn)
  // Names alone: to look at one that is not initialised yet may throw.
  return found && new Set(found.scopes.flatMap(({ variables }) => Reflect.ownKeys(variables) as string[]))
}

export interface Variable {
  readonly value: unknown
  /** It is certain that it is not initialised yet: newer releases of Node tell, older ones show it as undefined. */
  readonly isEarly?: boolean
  /** It is one of the ES module itself, as its imports are, and of no function or block in it. */
  readonly isOfModule: boolean
}

/** Which scope has a variable of that name; the innermost one counts. */
export function findVariable(scopes: FunctionScopes, name: string): Variable | undefined {
  for (const { description, variables } of scopes.scopes) {
    const isOfModule = description === moduleScope
    try {
      if (Object.hasOwn(variables, name)) return { value: variables[name], isOfModule }
    } catch {
      return { value: undefined, isEarly: true, isOfModule }
    }
  }
  return undefined
}
