/** What cannot travel, by the way to it that whoever called `exec` knows: `params[1].socket`, not that of what a call is made of. */
import { pathOf, toldBy } from '../../lib/call-failures.ts'
import { takeCaptures } from '../../lib/pinned.ts'

type Captured = (...params: never[]) => unknown

/** Of `exec(fn, params)`, which is a call of `run` with the function or its text: those of the function. */
export function innerParams(method: string, params: unknown): readonly unknown[] | null | undefined {
  if (method !== 'run' || !Array.isArray(params) || params.length !== 2) return undefined
  const [fn, inner = null] = params as readonly unknown[]
  const isRun = (typeof fn === 'function' || typeof fn === 'string') && (inner === null || Array.isArray(inner))
  return isRun ? (inner as readonly unknown[] | null) : undefined
}

/** Why a task could not be sent. What its function captures is told as such. */
export function asParams(error: unknown, method: string, params: unknown): unknown {
  if (innerParams(method, params) === undefined) return toldBy(error, (path) => path.replace(/^args\[1\]/, 'params'))
  if (pathOf(error)?.startsWith('args[1][0]') === true) {
    try {
      takeCaptures((params as readonly [Captured])[0], 'exec')
    } catch (refusal) {
      return refusal
    }
  }
  return toldBy(error, (path) => path.replace(/^args\[1\]\[1\]/, 'params'))
}

/** Why what a task returned could not come: a worker answers with an array of it. */
export function asResult(error: unknown): unknown {
  return toldBy(error, (path) => path.replace(/^result\[0\]/, 'result'))
}
