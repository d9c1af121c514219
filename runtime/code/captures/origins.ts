/**
 * Which function of which process one is a copy of. What a process sent out and gets back is the thing itself again;
 * what it got from elsewhere twice is one class, so that `instanceof` holds between arguments, captures and results.
 */
import { randomBytes } from '../../base/random-bytes.ts'

const self = randomBytes(8).toString('hex')
const names = new WeakMap<Function, string>()
const own = new Map<string, WeakRef<Function>>()
const copies = new Map<string, WeakRef<Function>>()
let next = 1

const gone = new FinalizationRegistry<string>((name) => {
  for (const known of [own, copies]) if (known.get(name)?.deref() === undefined) known.delete(name)
})

/** The name under which it travels. */
export function originOf(fn: Function): string {
  let name = names.get(fn)
  if (name === undefined) {
    name = `${self}:${(next++).toString(36)}`
    names.set(fn, name)
    own.set(name, new WeakRef(fn))
    gone.register(fn, name)
  }
  return name
}

/** The function of that origin, where it is of this process. */
export function ownFunction(origin: string): Function | undefined {
  return origin.startsWith(self) ? own.get(origin)?.deref() : undefined
}

/** The copy that was made here before. */
export function copyOf(origin: string): Function | undefined {
  return copies.get(origin)?.deref()
}

/** Whether it was made here from what another process sent. */
export function isCopy(fn: Function): boolean {
  return names.get(fn)?.startsWith(self) === false
}

/** `fn` was made here from what came under that origin. */
export function noteCopy(fn: Function, origin: string): void {
  names.set(fn, origin)
  copies.set(origin, new WeakRef(fn))
  gone.register(fn, origin)
}
