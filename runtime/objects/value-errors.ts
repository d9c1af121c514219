/**
 * Errors across processes. What travels: the name of the class, the message, the stack, and every own property with
 * whether it is enumerable; `cause` and `errors` are own properties like any other. What arrives is an instance of the
 * class of that name, if it is built in, one of Outpool's or registered, else a `TaskError`. No constructor of a user
 * class runs.
 */
import { types } from 'node:util'
import { TaskError } from '../base/errors.ts'
import { builtInClasses, knownClass } from './error-classes.ts'
import { className } from './value-refusal.ts'

export interface ErrorHead {
  readonly className: string
  /** Undefined where the error has no message of its own. */
  readonly message: string | undefined
  readonly stack: string | undefined
  /** Of a DOMException alone, which keeps its name to itself. */
  readonly domName: string | undefined
}

export function isError(value: object): boolean {
  return types.isNativeError(value) || value instanceof Error
}

/** Classes of errors of the program, by whether their code can be sent. */
const travelling = new WeakMap<Function, boolean>()

/** Whether the class of an error is the program's own and can go along. `send` tries it with a bare one. */
export function classTravels(error: object, send: (bare: object) => void): boolean {
  const name = travelName(error)
  const prototype = Object.getPrototypeOf(error) as object
  if (name === 'DOMException' || knownClass(name)?.prototype === prototype) return false
  const { constructor: made } = error
  if (!types.isNativeError(error) || typeof made !== 'function') return false
  const known = travelling.get(made)
  if (known !== undefined) return known
  // Its own methods may make more of them.
  travelling.set(made, true)
  try {
    send(Object.setPrototypeOf(new Error(), prototype) as object)
  } catch {
    travelling.set(made, false)
  }
  return travelling.get(made) === true
}

export function describeError(error: object): ErrorHead {
  const name = travelName(error)
  const stack = ownText(error, 'stack')
  if (name !== 'DOMException') return { className: name, message: ownText(error, 'message'), stack, domName: undefined }
  const { name: domName, message } = error as Error
  return { className: name, message, stack, domName }
}

/** Own properties beside those of the head. */
export function errorProperties(error: object, head: ErrorHead): string[] {
  return Object.getOwnPropertyNames(error).filter(
    (key) => !(key === 'message' && head.message !== undefined) && !(key === 'stack' && head.stack !== undefined),
  )
}

/** The error without its own properties. */
export function makeError(head: ErrorHead): Error {
  const error = instanceOf(head)
  if (head.message === undefined) delete (error as { message?: string }).message
  if (head.stack === undefined) delete error.stack
  else setProperty(error, 'stack', head.stack, false)
  return error
}

/** Sets what travelled beside the head, whatever the class or a prototype says about that key. */
export function setProperty(target: object, key: string, value: unknown, enumerable: boolean): void {
  Object.defineProperty(target, key, { value, enumerable, writable: true, configurable: true })
}

function instanceOf(head: ErrorHead): Error {
  const message = head.message ?? ''
  const { domName } = head
  if (domName !== undefined) return withoutStack(() => new DOMException(message, domName) as unknown as Error)
  const known = knownClass(head.className)
  if (known === undefined) return withoutStack(() => new TaskError(message, { originalName: head.className }))
  // An error of the engine (`Error` is one by birth, not by prototype), with the prototype of its class.
  const error = withoutStack(() => new Error(message))
  if (known !== Error) Object.setPrototypeOf(error, known.prototype as object)
  return error
}

function withoutStack<T>(make: () => T): T {
  const limit = Error.stackTraceLimit
  try {
    Error.stackTraceLimit = 0
  } catch {
    // Frozen intrinsics: the stack is then captured and replaced.
  }
  try {
    return make()
  } finally {
    try {
      Error.stackTraceLimit = limit
    } catch {
      // As above.
    }
  }
}

function travelName(error: object): string {
  const name = className(error) ?? 'Error'
  // Node makes its own errors of classes that nobody can import; their name is that of the class they stand for.
  if (name === 'NodeError' || name === 'SystemError') {
    for (const type of builtInClasses) if (type !== Error && error instanceof type) return type.name
    return 'Error'
  }
  return name
}

function ownText(error: object, key: string): string | undefined {
  if (!Object.hasOwn(error, key)) return undefined
  const text: unknown = (error as Record<string, unknown>)[key]
  return typeof text === 'string' ? text : undefined
}
