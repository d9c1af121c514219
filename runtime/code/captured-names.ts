/**
 * The variables that a function can see in the scopes around it, as V8 itself knows them.
 *
 * Needed for one question that the text cannot answer: whether `URL`, `crypto` or `setTimeout` in it is the global, or a
 * variable or import of that name in the module around it (`import { setTimeout } from 'node:timers/promises'`). Taking
 * the one for the other would run something else in silence. Costs about half a millisecond, so callers ask once a text.
 */
import type * as Inspector from 'node:inspector'
import { createRequire } from 'node:module'

const probeKey = Symbol.for('outpool.captured-names.probe')

/**
 * Names of the variables in the closure and module scopes of `fn` that some inner function uses. Undefined where this
 * Node cannot tell (it was built without the inspector, or may not use it).
 */
export function capturedNames(fn: Function): ReadonlySet<string> | undefined {
  let session: Inspector.Session | undefined
  const globals = globalThis as { [probeKey]?: Function }
  try {
    const inspector = createRequire(import.meta.url)('node:inspector') as typeof Inspector
    session = new inspector.Session()
    session.connect()
    globals[probeKey] = fn
    return readScopes(session)
  } catch {
    return undefined
  } finally {
    Reflect.deleteProperty(globals, probeKey)
    session?.disconnect()
  }
}

function readScopes(session: Inspector.Session): ReadonlySet<string> | undefined {
  const expression = `globalThis[Symbol.for(${JSON.stringify(probeKey.description)})]`
  const probe = evaluate(session, expression)
  const scopes = probe.internalProperties?.find(({ name }) => name === '[[Scopes]]')?.value?.objectId
  if (scopes === undefined) return undefined
  const names = new Set<string>()
  for (const { value } of properties(session, scopes).result) {
    if (value?.objectId === undefined || value.description === 'Global') continue
    for (const { name } of properties(session, value.objectId).result) names.add(name)
  }
  return names
}

function evaluate(session: Inspector.Session, expression: string): Inspector.Runtime.GetPropertiesReturnType {
  let objectId: string | undefined
  // The answers of an in-process session arrive before `post` returns.
  session.post('Runtime.evaluate', { expression, silent: true }, (error, answer) => {
    if (error === null) objectId = answer.result.objectId
  })
  if (objectId === undefined) throw new Error('the inspector did not show the function')
  return properties(session, objectId)
}

function properties(session: Inspector.Session, objectId: string): Inspector.Runtime.GetPropertiesReturnType {
  let found: Inspector.Runtime.GetPropertiesReturnType | undefined
  session.post('Runtime.getProperties', { objectId, ownProperties: true }, (error, answer) => {
    if (error === null) found = answer
  })
  if (found === undefined) throw new Error('the inspector did not answer')
  return found
}
