/** Options that pools and executors have in common: what their workers are, and how many. */
import { given } from '../../lib/given.ts'
import { checkResources } from '../../lib/pinned.ts'

/** The arguments of an initializer. Throws TypeError for what is no list. */
export function argumentsOf(value: Iterable<unknown> | null | undefined, name: string): readonly unknown[] {
  const list = value ?? []
  if (typeof (list as Partial<Iterable<unknown>>)[Symbol.iterator] !== 'function')
    throw new TypeError(`${name}: an array of arguments is needed, not ${given(value)}`)
  return [...list]
}

/** Behind "must be at least 1": what else is wrong with a number of workers. */
export function notInteger(value: unknown): string {
  return Number.isInteger(value)
    ? ''
    : `: an integer is needed, not ${typeof value === 'number' ? value : given(value)}`
}

/** What a worker is to hold and to be called, as far as it can be told before one is asked for. Throws TypeError. */
export function checkWorker(
  { numCpus, resources, name }: { readonly numCpus?: unknown; readonly resources?: unknown; readonly name?: unknown },
  caller: string,
): void {
  checkResources({ numCpus, resources })
  if (name !== undefined && typeof name !== 'string')
    throw new TypeError(`${caller}: name: a text is needed, not ${given(name)}`)
}
