import { expect } from 'chai'
import { given } from '../../../lib/given.ts'

describe('given', () => {
  const told: readonly (readonly [unknown, string])[] = [
    [undefined, 'undefined'],
    [null, 'null'],
    [5, 'a number'],
    ['x', 'a string'],
    [() => 1, 'a function'],
    [[1], 'an array'],
    [Promise.resolve(1), 'a Promise: await it first'],
    [new Map(), 'an instance of Map'],
    [{ a: 1 }, 'an object'],
    [Object.create(null), 'an object'],
  ]
  for (const [value, words] of told) it(`says ${words}`, () => expect(given(value)).to.equal(words))
})
