import { expect } from 'chai'
import { createServer } from 'node:net'
import { ConnectionLostError, get, init, put, registerErrorClass, remote, shutdown, TaskError } from 'outpool'
import type { ObjectRef } from 'outpool'
import { Pool } from 'outpool/multiprocessing'
import { difference } from '../unit/objects/same-value.ts'
import { usePlainWorkers } from './support.ts'
import { rejection } from '../tools/rejection.ts'

const tasks = new URL('fixtures/tasks.mjs', import.meta.url)
const identity = remote((value: unknown) => value)

function cyclic(): object {
  const shared = { shared: true }
  const value: Record<string, unknown> = { a: shared, b: [shared] }
  value['self'] = value
  return value
}

function withHoles(): unknown[] {
  const list: unknown[] = [1, , 3]
  return Object.assign(list, { named: 'property' })
}

const sharedBuffer = new ArrayBuffer(16)
const values: Readonly<Record<string, unknown>> = {
  undefined: undefined,
  null: null,
  booleans: [true, false, Object(true)],
  'numbers of every kind': [0, -0, 1.5, -1, NaN, Infinity, -Infinity, 2 ** 53, Number.MIN_VALUE],
  'large integers': [0n, -1n, 2n ** 100n],
  'texts, lone surrogates among them': ['', 'ä', '𝄞', '\ud800', '\0'],
  'objects with names that touch prototypes': [
    JSON.parse('{"__proto__": {"a": 1}, "constructor": 2}'),
    Object.create(null),
  ],
  'arrays with holes and own properties': withHoles(),
  'cycles and shared parts': cyclic(),
  dates: [new Date(0), new Date(NaN)],
  'regular expressions': [/a+/giu],
  'maps and sets': [new Map<unknown, unknown>([[{ k: 1 }, new Set([1, 'x'])]]), new Set([new Map()])],
  'views of one buffer': [new Uint8Array(sharedBuffer, 4, 8), new Float64Array(sharedBuffer), sharedBuffer],
  'typed arrays': [new BigInt64Array([1n, -1n]), new Uint8ClampedArray([300]), new DataView(new ArrayBuffer(3), 1)],
  'bytes of Node': Buffer.from('bytes'),
  'a large array of numbers': Array.from({ length: 50_000 }, (_, i) => i / 3),
  'large bytes': new Uint8Array(1_000_000).fill(7),
  'deep nesting': JSON.parse('['.repeat(500) + ']'.repeat(500)),
  addresses: [new URL('https://example.org/a?b#c'), new URLSearchParams('a=1&a=2')],
  'errors as values': [Object.assign(new RangeError('far', { cause: new Error('near') }), { at: 3 })],
}

describe('values', () => {
  usePlainWorkers()
  before(async () => {
    await init({ numCpus: 1 })
  })
  after(async () => {
    await shutdown()
  })

  for (const [name, value] of Object.entries(values)) {
    it(`go to a task and come back as they were: ${name}`, async () => {
      const back = await identity.run(value)
      if (name === 'errors as values') {
        const [error] = back as [RangeError & { at: number; cause: Error }]
        expect(error).to.be.instanceOf(RangeError).and.include({ message: 'far', at: 3 })
        expect(error.cause.message).to.equal('near')
      } else expect(difference(back, value)).to.equal(undefined)
    })
  }

  const server = createServer()
  class Secret {
    #x = 1
    get x(): number {
      return this.#x
    }
  }
  const refused: Readonly<Record<string, readonly [unknown, RegExp]>> = {
    'a bound function': [{ on: { done: rejection.bind(null) } }, /args\[0\]\.on\.done.*function/],
    'a handle': [{ list: [{ conn: server }] }, /args\[0\]\.list\[0\]\.conn.*Server/],
    'private fields': [new Map([['p', new Secret()]]), /args\[0\]\.get\("p"\).*Secret.*#x/],
    'a promise': [[Promise.resolve(1)], /args\[0\]\[0\].*await/],
    'a symbol': [{ s: Symbol('s') }, /args\[0\]\.s.*symbol/],
    'a weak map': [new WeakMap(), /args\[0\].*WeakMap/],
    'a proxy': [new Proxy({}, {}), /args\[0\].*Proxy/],
  }
  for (const [name, [value, path]] of Object.entries(refused)) {
    it(`that cannot travel are refused at the call, by path: ${name}`, async () => {
      expect(() => identity.remote(value))
        .to.throw(Error, path)
        .with.property('code', 'ERR_OUTPOOL_SERIALIZATION')
      expect((await rejection(identity.run(value))).message).to.match(path)
    })
  }

  it('that are many, and together more than one message takes, go and come back all the same', async () => {
    const many = Array.from({ length: 800 }, (_, i) => String(i).repeat(90_000 / String(i).length))
    const lengths = (all: readonly string[]): number[] => all.map(({ length }) => length)
    expect(await remote((...all: string[]) => all.map(({ length }) => length)).run(...many)).to.deep.equal(
      lengths(many),
    )
    const back = remote((count: number) => Array.from({ length: count }, () => 'x'.repeat(90_000)), { numReturns: 800 })
    expect(lengths(await get(back.remoteMany(800) as ObjectRef<string>[]))).to.deep.equal(many.map(() => 90_000))
  })

  it('of refs that are together more than one message takes fail their task, and say what to do', async () => {
    const refs = await Promise.all(Array.from({ length: 800 }, () => put('x'.repeat(90_000))))
    const error = await rejection(remote((...all: string[]) => all.length).run(...(refs as unknown[] as string[])))
    expect(error).to.have.property('code', 'ERR_OUTPOOL_SERIALIZATION')
    expect(error.message).to.contain('800 refs').and.contain('pass one list of these refs')
    const gets = remote(
      async (list: readonly ObjectRef<string>[]) => (await Promise.all(list.map((ref) => ref.get()))).length,
    )
    expect(await gets.run(refs)).to.equal(800)
  })

  it('that cannot come back fail their task, by path', async () => {
    const error = await rejection(remote(() => ({ a: { f: Promise.resolve(1) } })).run())
    expect(error).to.have.property('code', 'ERR_OUTPOOL_SERIALIZATION')
    expect(error.message).to.contain('result.a.f')
  })
})

describe('errors that a task throws', () => {
  usePlainWorkers()
  before(async () => {
    await init({ numCpus: 1 })
  })
  after(async () => {
    await shutdown()
  })

  it('arrive as instances of their class, with own properties, cause and remote stack', async () => {
    const fails = remote(function failing() {
      const cause = new SyntaxError('why', { cause: { deeper: new Map([[1, 'x']]) } })
      throw Object.assign(new RangeError('too far', { cause }), { code: 'E_FAR', at: new Date(0) })
    })
    const error = await rejection(fails.run())
    expect(error).to.be.instanceOf(RangeError)
    expect(error).to.include({ name: 'RangeError', message: 'too far', code: 'E_FAR' })
    expect((error as Error & { at: Date }).at.getTime()).to.equal(0)
    const cause = error.cause as SyntaxError & { cause: { deeper: Map<number, string> } }
    expect(cause).to.be.instanceOf(SyntaxError).with.property('message', 'why')
    expect([...cause.cause.deeper]).to.deep.equal([[1, 'x']])
    expect(error.stack).to.contain('failing')
  })

  it('of several at once arrive with all of them', async () => {
    const error = await rejection(
      remote(() => {
        throw new AggregateError([new TypeError('a'), 'b'], 'both')
      }).run(),
    )
    expect(error).to.be.instanceOf(AggregateError).with.property('message', 'both')
    const { errors } = error as AggregateError
    expect(errors[0]).to.be.instanceOf(TypeError)
    expect(errors[1]).to.equal('b')
  })

  it('of a class that is not known here arrive as TaskError, with the original name and own properties', async () => {
    const error = await rejection(remote(tasks, 'throwsOwnClass').run())
    expect(error).to.be.instanceOf(TaskError)
    expect(error).to.include({ originalName: 'NotRegistered', message: 'of a class of its own' })
    expect((error as Error & { where: object }).where).to.deep.equal({ line: 7 })
    expect(error.stack).to.contain('throwsOwnClass')
  })

  it('of a class that was registered here are instances of it, made without its constructor', async () => {
    let constructed = 0
    class NotRegistered extends Error {
      constructor() {
        super()
        constructed++
      }
    }
    registerErrorClass(NotRegistered)
    const error = await rejection(remote(tasks, 'throwsOwnClass').run())
    expect(error).to.be.instanceOf(NotRegistered).and.include({ message: 'of a class of its own', code: 'E_OWN' })
    expect(constructed).to.equal(0)
  })

  it('of a class that went there with the function are instances of it, from pools too, as a cause and among others', async () => {
    class Refused extends Error {
      readonly field: string
      constructor(message: string, field: string) {
        super(message)
        this.field = field
      }
    }
    const refuse = (field: string): never => {
      throw new Refused('no', field)
    }
    const wrap = (field: string): never => {
      throw new TypeError('refused', { cause: new Refused('no', field) })
    }
    const both = (field: string): never => {
      throw new AggregateError([new TypeError('other'), new Refused('no', field)])
    }
    const unsendable = (): never => {
      throw Object.assign(new Refused('no', 'x'), { timer: setTimeout(() => {}, 1) })
    }
    const pool = new Pool(1)
    try {
      const thrown = [
        await rejection(remote(refuse).run('age')),
        await rejection(pool.map(refuse, ['age'])),
        (await rejection(remote(wrap).run('age'))).cause as Error,
        ((await rejection(remote(both).run('age'))) as AggregateError).errors[1] as Error,
      ]
      for (const error of thrown) {
        expect(error).to.be.instanceOf(Refused).with.property('field', 'age')
        expect(error.stack).to.contain('values.test.ts')
      }
      expect(await rejection(remote(unsendable).run())).to.include({ originalName: 'Refused', message: 'no' })
    } finally {
      await pool.terminate()
    }
  })

  it('that are too large to travel arrive as their class with the beginning of their message; their worker goes on', async () => {
    const pid = remote(() => process.pid)
    const before = await pid.run()
    const withData = remote(() => {
      throw Object.assign(new RangeError('too far'), { data: new Uint8Array(80e6) })
    })
    const withText = remote(() => {
      throw new TypeError('x'.repeat(40e6))
    })
    const bare = remote(() => {
      // oxlint-disable-next-line typescript/only-throw-error -- what is thrown is anybody's
      throw 'x'.repeat(40e6)
    })
    const errors = await Promise.all([withData, withText, bare].map((fails) => rejection(fails.run())))
    expect(errors.map(({ name }) => name)).to.deep.equal(['RangeError', 'TypeError', 'Error'])
    expect(errors[0]).to.not.have.property('data')
    expect(errors[0]?.message).to.match(/^too far \(what was thrown takes 80\d+ bytes/)
    for (const { message } of errors) expect(message.length).to.be.below(20_000)
    expect(await pid.run()).to.equal(before)
  })

  it('that cannot even be looked at arrive as a text that says so; their worker goes on', async () => {
    const pid = remote(() => process.pid)
    const before = await pid.run()
    const thrown = await remote(() => {
      const trap = (): never => {
        throw new Error('no')
      }
      throw new Proxy(new Error('x'), { get: trap, getPrototypeOf: () => Error.prototype })
    })
      .run()
      .catch((error: unknown) => error)
    expect(thrown).to.match(/^\[a Proxy;/)
    expect(await pid.run()).to.equal(before)
  })

  it('that are no errors arrive as what they are', async () => {
    const throws = remote((value: unknown) => {
      throw value
    })
    for (const value of ['text', 5, null, undefined, { plain: true }]) {
      const got = await throws.run(value).then(
        () => 'resolved',
        (reason: unknown) => ({ reason }),
      )
      expect(got).to.deep.equal({ reason: value })
    }
  })

  it('and that cannot travel whole still say what they are', async () => {
    const error = await rejection(
      remote(() => {
        throw Object.assign(new TypeError('with a function'), { callback: () => 1, code: 'E_KEPT' })
      }).run(),
    )
    expect(error).to.be.instanceOf(TypeError).and.include({ message: 'with a function', code: 'E_KEPT' })
  })
})

describe('refs of a connection that is over', () => {
  usePlainWorkers()

  it('are refused by name as arguments of the next one, also inside of others', async () => {
    const length = remote((array: Float64Array) => array.length)
    const start = (): Promise<unknown> => init({ numCpus: 1 })
    await start()
    const refs = [await put(new Float64Array(100_000)), await put(5)] as ObjectRef<Float64Array>[]
    const made = length.remote(refs[0] as ObjectRef<Float64Array>)
    expect(await made.get()).to.equal(100_000)
    await shutdown()
    await start()
    try {
      for (const ref of [...refs, made as unknown as ObjectRef<Float64Array>]) {
        const failures = [rejection(length.run(ref)), rejection(put({ deep: [ref] })), rejection(ref.get())]
        const [argument, inside, own] = await Promise.all(failures)
        for (const error of [argument, inside])
          expect(error)
            .to.be.instanceOf(ConnectionLostError)
            .with.property('message')
            .that.contains(ref.id)
            .and.contains('make it again')
        expect(own).to.be.instanceOf(ConnectionLostError)
      }
      expect(await length.run(new Float64Array(3))).to.equal(3)
    } finally {
      await shutdown()
    }
  })
})
