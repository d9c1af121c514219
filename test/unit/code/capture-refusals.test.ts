import { EventEmitter } from 'node:events'
import { AsyncLocalStorage } from 'node:async_hooks'
import { createSecretKey } from 'node:crypto'
import { open } from 'node:fs/promises'
import { Server, Socket } from 'node:net'
import { Readable } from 'node:stream'
import { MessageChannel } from 'node:worker_threads'
import vm from 'node:vm'
import { expect } from 'chai'
import { codeCodec } from '../../../runtime/code/captures/send-code.ts'
import { encodeValue, type RefCodec } from '../../../runtime/objects/value.ts'

const codec: RefCodec = {
  isRef: () => false,
  describe: () => {
    throw new Error('no refs here')
  },
  revive: () => {
    throw new Error('no refs here')
  },
  code: codeCodec(undefined, undefined, true),
}

function refusal(handler: Function): string {
  try {
    encodeValue(handler, 'handler', codec)
  } catch (error) {
    return (error as Error).message
  }
  return 'it was not refused'
}

class Account {
  #balance = 1
  get(): number {
    return this.#balance
  }
}
class Savings extends Account {}
class Index extends Map<string, number> {
  #size = 1
  get both(): number {
    return this.#size + this.size
  }
}
class Later extends Promise<number> {}
class Holder {
  value = 2
  readonly arrow = (): number => this.value
}

class Loud extends Holder {
  say(): string {
    return super.toString()
  }
}

function* ticking(): Generator<number> {
  yield 1
}

/** A captured value, and what the refusal says of it. */
const values: Readonly<Record<string, readonly [make: () => unknown, path: string, reason: string, remedy: string]>> = {
  'a bound function': [() => ticking.bind(null), 'value', 'bound function', 'Pass the function itself'],
  'a native function of no module': [() => new Intl.Collator().compare, 'value', 'native function', 'Wrap it'],
  'a proxy': [() => new Proxy({}, {}), 'value', 'a Proxy', 'send the plain data'],
  'a proxy of a function': [() => new Proxy(() => 1, {}), 'value', 'a Proxy', 'pass the function itself'],
  'a generator in flight': [() => ticking(), 'value', 'a generator', 'send the array'],
  'a promise': [() => Promise.resolve(1), 'value', 'a Promise', 'await it first'],
  'a weak map': [() => ({ cache: new WeakMap() }), 'value -> cache', 'a WeakMap', 'send a Map'],
  'a weak set': [() => new WeakSet(), 'value', 'a WeakSet', 'send a Set'],
  'a weak ref': [() => new WeakRef({}), 'value', 'a WeakRef', 'deref()'],
  'an iterator': [() => [new Map().entries()], 'value -> [0]', 'an iterator', 'send the array'],
  'a socket': [() => ({ socket: new Socket() }), 'value -> socket', 'Socket holds a native handle', 'inside'],
  'a server': [() => [{ server: new Server() }], 'value -> [0] -> server', 'Server holds a native handle', 'inside'],
  'an event emitter that is heard here': [
    () => new EventEmitter().on('x', () => 1),
    'value',
    "an EventEmitter with a listener for 'x'",
    'make the emitter inside the function',
  ],
  'an instance of a class that extends one': [
    () => [new (class Bus extends EventEmitter {})().once(Symbol.for('y'), () => 1)],
    'value -> [0]',
    'a listener for Symbol(y)',
    'inside the function',
  ],
  'an AsyncLocalStorage': [() => new AsyncLocalStorage(), 'value', 'AsyncLocalStorage', 'inside'],
  'a stream': [() => Readable.from([1]), 'value', 'Readable', 'inside'],
  'a key': [() => createSecretKey(Buffer.alloc(8)), 'value', 'SecretKeyObject', 'inside'],
  'a shared buffer': [() => new SharedArrayBuffer(8), 'value', 'SharedArrayBuffer', 'send a copy'],
  'an unregistered symbol': [() => ({ mark: Symbol('own') }), 'value -> mark', 'a symbol (Symbol(own))', 'string'],
  'a property keyed by one': [() => ({ [Symbol('own')]: 1 }), 'value', 'Symbol(own)', 'Symbol.for'],
  'a private field': [() => new Account(), 'value', 'the private field #balance', 'inside the function'],
  'an inherited private field': [
    () => [new Savings()],
    'value -> [0]',
    'by way of Account, the private field',
    'make the instance inside',
  ],
  'a Promise of a class of its own': [() => Later.resolve(1), 'value', 'a Promise', 'await it first'],
  'a Map with a private field': [() => ({ index: new Index() }), 'value -> index', 'field #size', 'make the instance'],
  'a lexical this': [() => new Holder().arrow, 'value', "uses 'this'", 'as an argument'],
  'an instance that holds one': [() => new Holder(), 'value -> arrow', "uses 'this'", 'as an argument'],
  'a method that uses super': [
    () => ({ name: Object.getOwnPropertyDescriptor(Loud.prototype, 'say')?.value as unknown }),
    'value -> name',
    "uses 'super'",
    'as an argument',
  ],
  'a static private field': [
    () =>
      class Counter {
        static #count = 1
        static get(): number {
          return Counter.#count
        }
      },
    'value',
    'static #count',
    'a property with a name',
  ],
  'a pending timer': [
    () => {
      const timer = setTimeout(() => undefined, 0)
      clearTimeout(timer)
      return timer
    },
    'value',
    'Timeout',
    'inside',
  ],
  'a signal': [() => new AbortController().signal, 'value', 'AbortSignal', 'option `signal`'],
}

describe('captures that cannot travel', () => {
  for (const [what, [make, path, reason, remedy]] of Object.entries(values)) {
    it(`are refused by the way to them, with reason and remedy: ${what}`, () => {
      const value = make()
      const message = refusal(() => value)
      expect(message.startsWith(`handler -> ${path}`), message).to.equal(true)
      expect(message).to.include(reason).and.to.include(remedy)
    })
  }

  it('are refused however deep: handler -> helper -> db -> socket', () => {
    const db = { socket: new Socket() }
    const helper = (): unknown => db.socket
    expect(refusal(() => helper())).to.equal(
      'handler -> helper -> db -> socket: Socket holds a native handle; open it inside the function',
    )
  })

  it('are refused: a file handle, a port', async () => {
    const file = await open(import.meta.filename)
    const { port1, port2 } = new MessageChannel()
    try {
      expect(refusal(() => file)).to.include('FileHandle holds a native handle')
      expect(refusal(() => port1)).to.include('MessagePort holds a native handle')
    } finally {
      await file.close()
      port1.close()
      port2.close()
    }
  })

  it('are refused: a variable that is not initialised yet', () => {
    const early = refusal(() => late)
    const late = 1
    expect(early).to.include("'late' (line 1)").and.to.include('not initialised yet')
    expect(refusal(() => late)).to.equal('it was not refused')
  })

  it('are not refused: what is undefined as it was given, or may not be read too early, wherever the function stands', () => {
    function make(given?: number): Function {
      // oxlint-disable-next-line no-var
      var seen = given
      return inner
      function inner(): unknown {
        return [given, seen]
      }
    }
    expect(refusal(make())).to.equal('it was not refused')
    function early(): string {
      const told = refusal(inner)
      const late = 1
      function inner(): unknown {
        return late
      }
      return told
    }
    expect(early()).to.include('not initialised yet')
  })

  it('are refused: syntax that belongs to its place', async () => {
    const text = 'export const place = () => import.meta.url'
    const { place } = (await import(`data:text/javascript,${encodeURIComponent(text)}`)) as { place: () => string }
    expect(refusal(() => place())).to.include("handler -> place: a function: it uses 'import.meta'")
  })

  it('are refused: a global that this program has set', () => {
    const globals = globalThis as unknown as Record<string, unknown>
    globals['testGlobal'] = 1
    try {
      const fn = vm.runInThisContext('() => testGlobal') as Function
      expect(refusal(fn)).to.include('a global that this program has set')
    } finally {
      delete globals['testGlobal']
    }
  })
})
