import { deferred } from './deferred.ts'

/** Listening to a signal that many calls share: one listener for all of them, because Node warns of the eleventh. */
interface Shared {
  readonly actions: Set<() => void>
  readonly listener: () => void
}

const shared = new WeakMap<AbortSignal, Shared>()

/** Calls `action` when `signal` is raised. Returns what takes that back. */
export function onAbort(signal: AbortSignal, action: () => void): () => void {
  let known = shared.get(signal)
  if (known === undefined) {
    const actions = new Set<() => void>()
    const listener = (): void => {
      shared.delete(signal)
      for (const each of actions) each()
    }
    shared.set(signal, (known = { actions, listener }))
    signal.addEventListener('abort', listener, { once: true })
  }
  const { actions, listener } = known
  // The same function may be given twice.
  const own = (): void => action()
  actions.add(own)
  return () => {
    if (!actions.delete(own) || actions.size > 0 || shared.get(signal)?.actions !== actions) return
    shared.delete(signal)
    signal.removeEventListener('abort', listener)
  }
}

/** What `awaited` settles with, or rejects with the reason of `signal` when that is raised before. */
export async function unlessAborted<T>(awaited: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return awaited
  const given = deferred<never>()
  const release = onAbort(signal, () => given.reject(signal.reason))
  if (signal.aborted) given.reject(signal.reason)
  try {
    return await Promise.race([awaited, given.promise])
  } finally {
    release()
  }
}
