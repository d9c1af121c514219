/** Functions that mean nothing in another place, and those whose effect would be lost. */
import { methodOf } from './functions.ts'
import type { Refusal, Table } from './types.ts'

type Placed = Readonly<Record<'url' | 'folder' | 'resolved' | 'inside' | 'helped', () => unknown>>
let placed: Placed

/** Its own module in every form of the program: compilers write `import.meta` away. */
export async function prepareCode(): Promise<void> {
  const text = `
    export const url = () => import.meta.url
    export function folder() { return import.meta.dirname }
    export const resolved = async () => import.meta.resolve('node:fs')
    export const inside = () => [1].map(() => import.meta.url)
    const helper = () => import.meta
    export const helped = () => helper()`
  placed = (await import(`data:text/javascript,${encodeURIComponent(text)}`)) as Placed
}

class Holder {
  value = 2
  readonly arrow = (): number => this.value
  make(): () => unknown {
    return () => this.value
  }
  get reader(): () => unknown {
    return () => [1].map(() => this.value)
  }
  asyncArrow(): () => Promise<unknown> {
    return async () => this.value
  }
}
class Louder extends Holder {
  static kind(): string {
    return super.toString()
  }
  override make(): () => unknown {
    return () => super.make()
  }
  say(): string {
    return super.toString()
  }
  async later(): Promise<string> {
    return super.toString()
  }
  *each(): Generator<string> {
    yield super.toString()
  }
}
class Account {
  #balance = 1
  get(): number {
    return this.#balance
  }
  set(value: number): void {
    this.#balance = value
  }
}
class Savings extends Account {}
class Vault extends Map<string, number> {
  #key = 1
  get key(): number {
    return this.#key
  }
}

const lexicalThis = /'this' of the code around/
const itsSuper = /'super', the parent/
const meta = /import\.meta/
const privateName = /private (?:field|name)|static #/

function exchanged(value: unknown, reason: RegExp): Refusal {
  const tool: { held: unknown } = { held: value }
  return { fn: () => tool, reason, change: () => (tool.held = { plain: true }) }
}

/** Not initialised until `next` is called again: what is behind the `yield` has not run. */
function* early(): Generator<() => unknown, void> {
  yield () => late
  const late = 'const'
}
function* earlyLet(): Generator<() => unknown, void> {
  yield () => [late]
  let late = 'let'
  late += '!'
}
function* earlyClass(): Generator<() => unknown, void> {
  yield () => new Late().v
  class Late {
    v = 1
  }
}
function* earlyHelper(): Generator<() => unknown, void> {
  const helper = (): unknown => late
  yield () => helper()
  const late = { deep: 1 }
}
function* earlyBlock(): Generator<() => unknown, void> {
  for (const n of [1]) {
    yield () => late + n
    const late = 10
  }
}

function notYet(make: () => Generator<() => unknown, void>): () => Refusal {
  return () => {
    const running = make()
    const fn = running.next().value as () => unknown
    return { fn, reason: /not initialised yet/, change: () => running.next() }
  }
}

export const refusedCode: Table<Refusal> = {
  'a lexical this': {
    'of a field': () => ({ fn: new Holder().arrow, reason: lexicalThis }),
    'of a method': () => ({ fn: new Holder().make(), reason: lexicalThis }),
    'of an accessor, two deep': () => ({ fn: new Holder().reader, reason: lexicalThis }),
    'of an async arrow': () => ({ fn: new Holder().asyncArrow(), reason: lexicalThis }),
    'in a captured instance': () => exchanged(new Holder(), lexicalThis),
  },
  super: {
    'of a method': () => ({ fn: methodOf(Louder.prototype, 'say'), reason: itsSuper }),
    'of a static method': () => ({ fn: methodOf(Louder, 'kind'), reason: itsSuper }),
    'of an async method': () => ({ fn: methodOf(Louder.prototype, 'later'), reason: itsSuper }),
    'of a generator': () => ({ fn: methodOf(Louder.prototype, 'each'), reason: itsSuper }),
    'in an arrow': () => ({ fn: new Louder().make(), reason: /'super'|'this'/ }),
  },
  'import.meta': {
    'an arrow': () => ({ fn: placed.url, reason: meta }),
    'a function': () => ({ fn: placed.folder, reason: meta }),
    async: () => ({ fn: placed.resolved, reason: meta }),
    'in an arrow': () => ({ fn: placed.inside, reason: meta }),
    'in a helper': () => ({ fn: placed.helped, reason: meta }),
  },
  'private fields': {
    'of an instance': () => exchanged(new Account(), privateName),
    'of what its class extends': () => exchanged([new Savings()], privateName),
    'of a Map': () => exchanged(new Vault(), privateName),
    'in a method of its own': () => ({ fn: methodOf(Account.prototype, 'get'), reason: privateName }),
    'of an argument': () => {
      const args: unknown[] = [new Account()]
      return { fn: (one: unknown) => one, args, reason: privateName, change: () => (args[0] = 'plain') }
    },
    'of a class itself': () => {
      class Counter {
        static #count = 1
        static get(): number {
          return Counter.#count
        }
      }
      return exchanged(Counter, privateName)
    },
  },
  'variables that are not initialised yet': {
    const: notYet(early),
    let: notYet(earlyLet),
    class: notYet(earlyClass),
    'of a helper': notYet(earlyHelper),
    'in a block': notYet(earlyBlock),
  },
  'changes that would be lost': {
    assigned: () => {
      let total = 0
      return { fn: (x: number) => (total += x), args: [1], reason: /assigns to/ }
    },
    pushed: () => {
      const list: number[] = []
      return { fn: (x: number) => list.push(x), args: [1], reason: /calls push\(\) on/ }
    },
    'a property': () => {
      const state = { n: 0 }
      return { fn: () => state.n++, reason: /assigns \.n of/ }
    },
    'an entry': () => {
      const map = new Map<string, number>()
      return { fn: (key: string) => map.set(key, 1).size, args: ['a'], reason: /calls set\(\) on/ }
    },
    'by an alias': () => {
      const rows = [{ n: 1 }]
      return {
        fn: () => {
          const all = rows
          all.length = 0
          return 0
        },
        reason: /assigns \.length of/,
      }
    },
    deleted: () => {
      const object: Record<string, number> = { a: 1 }
      return { fn: () => delete object['a'], reason: /deletes \.a of/ }
    },
    'in a helper': () => {
      let count = 0
      const next = (): number => ++count
      return { fn: () => next(), reason: /assigns to/ }
    },
  },
}
