import assert, { AssertionError } from 'node:assert'
import { types } from 'node:util'
import { expect } from 'chai'
import { errorClasses, GetTimeoutError, TaskError } from '../../../runtime/base/errors.ts'
import { decodeValue, encodeValue, registerErrorClass } from '../../../runtime/objects/value.ts'
import { difference } from './same-value.ts'

function roundTrip<T>(value: T): T {
  return decodeValue(encodeValue(value, 'error')) as T
}

function thrownBy(action: () => unknown): Error {
  try {
    action()
  } catch (error) {
    return error as Error
  }
  throw new Error('nothing was thrown')
}

describe('errors in values', () => {
  for (const type of [Error, TypeError, RangeError, SyntaxError, ReferenceError, EvalError, URIError])
    it(`keep class, message and stack: ${type.name}`, () => {
      const error = Object.assign(new type('the message', { cause: { at: [1] } }), { code: 'E', list: [1, , 2] })
      const decoded = roundTrip(error)
      expect(difference(error, decoded)).to.equal(undefined)
      expect(decoded.stack).to.equal(error.stack)
      expect(types.isNativeError(decoded)).to.equal(true)
    })

  it('keep whether a property is enumerable, an absent message and a name of their own', () => {
    const error = new Error()
    error.name = 'ValidationError'
    expect(difference(error, roundTrip(error))).to.equal(undefined)
    expect(Object.hasOwn(roundTrip(new Error()), 'message')).to.equal(false)
  })

  it('keep causes at any depth, cycles and the errors of an AggregateError', () => {
    const root = new RangeError('root')
    let error = new Error('level 0', { cause: root })
    for (let level = 1; level < 50; level++) error = new TypeError(`level ${level}`, { cause: error })
    root.cause = error
    const all = new AggregateError([error, root, 'text'], 'all')
    expect(difference(all, roundTrip(all))).to.equal(undefined)
  })

  it('keep a DOMException with its name and code', () => {
    const decoded = roundTrip(new DOMException('stopped', 'AbortError'))
    expect(decoded).to.be.instanceOf(DOMException).and.include({ name: 'AbortError', message: 'stopped', code: 20 })
  })

  it('keep an AssertionError with what it compared', () => {
    const decoded = roundTrip(thrownBy(() => assert.strictEqual(1, 2))) as AssertionError
    expect(decoded).to.be.instanceOf(AssertionError).and.include({ actual: 1, expected: 2, code: 'ERR_ASSERTION' })
  })

  it("bring Node's own errors back as the class that they stand for", () => {
    const decoded = roundTrip(thrownBy(() => Buffer.from(5 as never)))
    expect(decoded).to.be.instanceOf(TypeError).and.include({ name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' })
  })

  it("bring Outpool's own errors back as instances of theirs", () => {
    for (const type of Object.values(errorClasses())) {
      const error = new type('message', { details: { node: 'n1', sizes: [1] }, cause: new Error('why') })
      const decoded = roundTrip(error)
      expect(decoded).to.be.instanceOf(type)
      expect(difference(error, decoded)).to.equal(undefined)
    }
    expect(roundTrip(new GetTimeoutError('late')).code).to.equal('ERR_OUTPOOL_GET_TIMEOUT')
  })

  it('bring registered classes back as theirs, without running a constructor', () => {
    let runs = 0
    class RegisteredError extends Error {
      readonly status: number
      constructor(status: number) {
        super(`status ${status}`)
        this.status = status
        runs++
      }
      get isServers(): boolean {
        return this.status >= 500
      }
    }
    registerErrorClass(RegisteredError)
    const decoded = roundTrip(new RegisteredError(503))
    expect(decoded).to.be.instanceOf(RegisteredError).and.include({ message: 'status 503', isServers: true })
    expect(runs).to.equal(1)
  })

  it('bring any other class back as a TaskError with what is known of it', () => {
    class PaymentError extends TypeError {
      readonly amount = 5n
    }
    const error = new PaymentError('no funds', { cause: new RangeError('limit') })
    const decoded = roundTrip<Error>(error) as TaskError & { amount?: bigint }
    expect(decoded)
      .to.be.instanceOf(TaskError)
      .and.include({ originalName: 'PaymentError', message: 'no funds', amount: 5n })
    expect(decoded.stack).to.equal(error.stack)
    expect(decoded.cause).to.be.instanceOf(RangeError)
    expect(difference(decoded, roundTrip(decoded))).to.equal(undefined)
  })

  it('take errors of classes in the old style', () => {
    function OldError(this: Error): void {
      this.message = 'old'
    }
    OldError.prototype = Object.create(Error.prototype, { constructor: { value: OldError } }) as object
    const decoded = roundTrip<unknown>(new (OldError as unknown as new () => Error)())
    expect(decoded).to.be.instanceOf(TaskError).and.include({ originalName: 'OldError', message: 'old' })
  })

  it('leave the limit of stack traces as it was', () => {
    const limit = Error.stackTraceLimit
    roundTrip(new Error('x'))
    expect(Error.stackTraceLimit).to.equal(limit)
  })
})

describe('registerErrorClass', () => {
  it('refuses what is no error class, has no name or a known one', () => {
    expect(() => registerErrorClass(Map as never)).to.throw(TypeError, 'extends Error')
    expect(() => registerErrorClass((() => class extends Error {})())).to.throw(TypeError, 'no name')
    class TaskError extends Error {}
    expect(() => registerErrorClass(TaskError)).to.throw(TypeError, 'known already')
  })
})
