import { expect } from 'chai'
import { createSecretKey } from 'node:crypto'
import net from 'node:net'
import { Readable } from 'node:stream'
import { MessageChannel } from 'node:worker_threads'
import { SerializationError } from '../../../runtime/base/errors.ts'
import { decodeValue, encodeThrown, encodeValue } from '../../../runtime/objects/value.ts'

class Account {
  readonly balance = 1
}
class Names extends Map<string, string> {}
class List extends Array<number> {}

function detached(): ArrayBuffer {
  const memory = new ArrayBuffer(8)
  structuredClone(memory, { transfer: [memory] })
  return memory
}

function handler(): void {}

const socket = new net.Socket()
const cases: readonly (readonly [string, unknown, string])[] = [
  ['a function', { handler }, 'args[0].handler: a function (handler)'],
  [
    'an unnamed function',
    [
      (
        () => () =>
          1
      )(),
    ],
    'args[0][0]: a function;',
  ],
  ['a class', { Account }, 'args[0].Account: a class (Account)'],
  ['the root', handler, 'args[0]: a function'],
  ['a symbol', { a: [Symbol('s')] }, 'args[0].a[0]: a symbol (Symbol(s))'],
  ['a boxed symbol', Object(Symbol('s')), 'args[0]: a symbol'],
  ['a Promise', { later: Promise.resolve(1) }, 'args[0].later: a Promise; await it first'],
  ['a WeakMap', [new WeakMap()], 'args[0][0]: a WeakMap'],
  ['a WeakSet', [new WeakSet()], 'args[0][0]: a WeakSet'],
  ['a WeakRef', [new WeakRef({})], 'args[0][0]: a WeakRef'],
  ['a Proxy', { p: new Proxy({}, {}) }, 'args[0].p: a Proxy'],
  ['a Proxy of an array', [new Proxy([], {})], 'args[0][0]: a Proxy'],
  ['a Proxy of a function', [new Proxy(handler, {})], 'args[0][0]: a Proxy'],
  [
    'an instance',
    { user: { account: new Account() } },
    'args[0].user.account: an instance of class Account; send plain',
  ],
  ['a subclass of Map', [new Names()], 'args[0][0]: an instance of class Names'],
  ['a subclass of Array', [new List()], 'args[0][0]: an instance of class List'],
  ['an inheriting object', [Object.create({ a: 1 })], 'args[0][0]: an object with a prototype of its own'],
  ['a prototype without its slots', [Object.create(Map.prototype)], 'args[0][0]: an instance of class Map'],
  ['a socket', { conn: socket }, 'args[0].conn: Socket holds a native handle'],
  ['a stream', { in: Readable.from([]) }, 'args[0].in: an instance of class Readable'],
  ['a key', createSecretKey(Buffer.from('k')), 'args[0]: an instance of class SecretKeyObject'],
  ['a Blob', [new Blob([])], 'args[0][0]: Blob reads asynchronously; send await blob.arrayBuffer()'],
  ['an AbortSignal', { signal: new AbortController().signal }, 'args[0].signal: AbortSignal belongs to this process'],
  ['shared memory', { m: new SharedArrayBuffer(8) }, 'args[0].m: a SharedArrayBuffer'],
  ['a view of shared memory', { m: new Uint8Array(new SharedArrayBuffer(8)) }, 'args[0].m: a SharedArrayBuffer'],
  ['a whole view of shared memory', new Uint8Array(new SharedArrayBuffer(8)), 'args[0]: a SharedArrayBuffer'],
  ['transferred memory', [detached()], 'args[0][0]: memory that was transferred away'],
  [
    'a view of transferred memory',
    [new Uint8Array(8)].map((view) => (structuredClone(view, { transfer: [view.buffer] }), view)),
    'args[0][0]: memory that was transferred away',
  ],
  [
    'a generator',
    [(function* () {})()],
    'args[0][0]: a generator; send the array of its items, or call the generator function inside the task',
  ],
  ['an iterator', [new Map().keys()], 'args[0][0]: an iterator'],
  ['a key that is no identifier', { 'a b': { '0': handler } }, 'args[0]["a b"]["0"]: a function'],
  ['the value of a Map', new Map([['k', { f: handler }]]), 'args[0].get("k").f: a function'],
  ['the key of a Map', new Map([[{ f: handler }, 1]]), 'args[0].keys()[0].f: a function'],
  ['the value at an object of a Map', new Map([[{}, handler]]), 'args[0].values()[0]: a function'],
  ['an item of a Set', new Set([1, handler]), 'args[0].values()[1]: a function'],
  ['a property of an array', Object.assign([1], { x: handler }), 'args[0].x: a function'],
  ['a property of an error', Object.assign(new Error('e'), { request: socket }), 'args[0].request: Socket holds'],
  ['the cause of an error', new Error('e', { cause: { handler } }), 'args[0].cause.handler: a function'],
  [
    'a getter that throws',
    {
      a: {
        get b() {
          throw new Error('boom')
        },
      },
    },
    'args[0].a.b: a getter that throws',
  ],
]

describe('what cannot travel', () => {
  after(() => socket.destroy())

  for (const [name, value, message] of cases)
    it(`is refused by its path: ${name}`, () => {
      expect(() => encodeValue(value, 'args[0]'))
        .to.throw(SerializationError)
        .with.property('message')
        .that.satisfies((text: string) => text.startsWith(message) || expect.fail(text))
    })

  it('is refused by its path: a MessagePort', () => {
    const { port1, port2 } = new MessageChannel()
    try {
      expect(() => encodeValue({ port: port1 }, 'args[0]')).to.throw(
        SerializationError,
        'args[0].port: MessagePort holds a native handle',
      )
    } finally {
      port1.close()
      port2.close()
    }
  })

  it('says the path in its details, and leaves the encoder whole', () => {
    expect(() => encodeValue([{ a: 1 }, handler], 'result'))
      .to.throw(SerializationError)
      .with.deep.property('details', { path: 'result[1]' })
    expect(decodeValue(encodeValue([{ a: 1 }], 'result'))).to.deep.equal([{ a: 1 }])
  })

  it('names the way to give items one by one where a function returns a generator', () => {
    expect(() => encodeValue((function* () {})(), 'result')).to.throw(SerializationError, "numReturns: 'streaming'")
  })

  it('keeps the error of a getter as its cause', () => {
    const boom = new Error('boom')
    expect(() =>
      encodeValue(
        {
          get b() {
            throw boom
          },
        },
        'result',
      ),
    )
      .to.throw(SerializationError)
      .with.property('cause', boom)
  })
})

describe('encodeThrown', () => {
  it('puts a text in place of what cannot travel with an error', () => {
    const error = Object.assign(new TypeError('no'), {
      request: socket,
      again: socket,
      retry: handler,
      status: 503,
      headers: { a: 1 },
    })
    const decoded = decodeValue(encodeThrown(error, 'error')) as TypeError & Record<string, unknown>
    expect(decoded).to.be.instanceOf(TypeError).and.include({ message: 'no', status: 503 })
    expect(decoded['request']).to.match(/^\[Socket holds a native handle/)
    expect(decoded['again']).to.equal(decoded['request'])
    expect(decoded['retry']).to.match(/^\[a function \(handler\)/)
    expect(decoded['headers']).to.deep.equal({ a: 1 })
  })

  it('carries anything that was thrown', () => {
    expect(decodeValue(encodeThrown('text', 'error'))).to.equal('text')
    expect(decodeValue(encodeThrown(handler, 'error'))).to.match(/^\[a function/)
    expect(
      decodeValue(
        encodeThrown(
          {
            get a() {
              throw new Error('x')
            },
          },
          'error',
        ),
      ),
    ).to.deep.equal({ a: '[a getter that throws]' })
    let deep: Error | undefined
    for (let depth = 0; depth < 3000; depth++) deep = new Error(`level ${depth}`, { cause: deep })
    expect(decodeValue(encodeThrown(deep, 'error'))).to.be.instanceOf(SerializationError)
  })
})
