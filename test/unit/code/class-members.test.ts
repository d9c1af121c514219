import vm from 'node:vm'
import { expect } from 'chai'
import { isWrittenAt, memberOf, type ClassMembers, type Key, type Part } from '../../../runtime/code/class-members.ts'
import { changesOfOwn, changesOfPrototype } from '../../../runtime/code/captures/changed-members.ts'
import { parentOfPrototype } from '../../../runtime/code/captures/parents.ts'
import { takeApart } from '../../../runtime/code/captures/function-parts.ts'
import { analyseFunction } from '../../../runtime/code/free-variables.ts'

interface Made extends Omit<Function, 'prototype'> {
  readonly prototype: object
  [key: Key]: unknown
}

/** The class that a text makes, and what is on it, or on its prototype, beside its text. */
class ClassOf {
  readonly made: Made
  readonly members: ClassMembers

  constructor(text: string) {
    this.made = vm.runInThisContext(`(${text})`) as Made
    const analysis = analyseFunction(text)
    if (analysis.kind !== 'class') throw new Error('no class')
    this.members = analysis.members
  }

  has(of: object, key: Key): boolean {
    const side = of === this.made ? 'own' : 'inherited'
    const property = Object.getOwnPropertyDescriptor(of, key) as PropertyDescriptor
    const parts = (['value', 'get', 'set'] as const).filter((part) => property[part] !== undefined)
    return parts.every((part: Part) => isWrittenAt(property[part] as Function, key, part, this.members[side]))
  }

  /** Each as `kind key`, those of the prototype behind a `#`. */
  changes(): string[] {
    const { made } = this
    const parts = takeApart(made)
    if (typeof parts === 'string') throw new Error(parts)
    const name = ({ kind, key }: { kind: string; key: Key }): string => `${kind} ${String(key)}`
    return [
      ...changesOfOwn(made as Function, parts.analysis).map(name),
      ...changesOfPrototype(made as Function, made.prototype, parts.analysis).map((change) => `${name(change)}#`),
    ]
  }
}

describe('members of the text of a class', () => {
  it('are found in every form', () => {
    const one = new ClassOf(`class {
      plain() {}
      async *[Symbol.iterator]() {}
      'with words'() {}
      get both() { return 1 }
      set both(value) {}
      static/* a comment */ // another
        async made() {}
      static static() {}
      static get one() { return 1 }
    }`)
    for (const key of ['plain', Symbol.iterator, 'with words', 'both'])
      expect(one.has(one.made.prototype, key), String(key)).equal(true)
    for (const key of ['made', 'static', 'one']) expect(one.has(one.made, key), key).equal(true)
    expect(one.changes()).deep.equal([])
  })

  it('are no functions that were put in their place, and no accessor of which one half was', () => {
    const one = new ClassOf('class { use() {} get both() { return 1 } set both(value) {} static make() {} }')
    const both = Object.getOwnPropertyDescriptor(one.made.prototype, 'both')
    Object.defineProperty(one.made.prototype, 'use', { value: () => 1 })
    Object.defineProperty(one.made.prototype, 'both', { ...both, get: () => 2 })
    one.made['make'] = () => 3
    expect(one.changes()).deep.equal(['value make', 'value use#', 'accessor both#'])
  })

  it('are not at the key of another one', () => {
    const one = new ClassOf(`class {
      on() { return 1 }
      add() { return 2 }
      1() { return 3 }
      static on() { return 5 }
      static make() { return 6 }
    }`)
    const { made } = one
    const prototype = made.prototype as Record<string, unknown>
    for (const key of ['on', 'add', '1']) expect(one.has(prototype, key), key).equal(true)
    prototype['add'] = prototype['on']
    Object.defineProperty(prototype, 'alias', { value: prototype['on'] })
    made['make'] = made['on']
    made['on'] = prototype['on']
    for (const key of ['add', 'alias']) expect(one.has(prototype, key), key).equal(false)
    for (const key of ['make', 'on']) expect(one.has(made, key), `static ${key}`).equal(false)
  })

  it('are known where their keys were computed, which the text alone does not tell', () => {
    const one = new ClassOf(`class {
      ['com' + 'puted']() { return 4 }
      get ['ha' + 'lf']() { return 1 }
      set ['ha' + 'lf'](value) {}
      static [['made'].join()]() { return 5 }
    }`)
    expect(memberOf(one.made['made'] as Function, one.members.own)).deep.equal({ key: undefined, part: 'value' })
    expect(one.changes()).deep.equal([])
    Object.defineProperty(one.made.prototype, 'half', { set: function () {} })
    Object.defineProperty(one.made.prototype, 'other', { value: () => 1 })
    expect(one.changes().sort()).deep.equal(
      ['accessor half#', 'deleted __outpool_key2#', 'value other#'].sort(),
      'the setter of the text is nowhere any more',
    )
  })

  it('are missed where they were deleted', () => {
    const one = new ClassOf('class { use() {} get size() { return 1 } static make() {} static made = 1 }')
    Reflect.deleteProperty(one.made.prototype, 'use')
    Reflect.deleteProperty(one.made.prototype, 'size')
    Reflect.deleteProperty(one.made, 'make')
    Reflect.deleteProperty(one.made, 'made')
    expect(one.changes()).deep.equal(['deleted make', 'deleted use#', 'deleted size#'])
  })

  it('differ by their attributes, and by what was set on them', () => {
    const one = new ClassOf('class { use() {} take() {} static make() {} }')
    const prototype = one.made.prototype as Record<string, Function>
    Object.defineProperty(prototype, 'use', { enumerable: true })
    Object.assign(prototype['take'] as Function, { level: 3 })
    Object.freeze(one.made)
    expect(one.changes()).deep.equal(['written make', 'written use#', 'written take#'])
  })

  it('are those of the class alone: what a static block puts there was put there', () => {
    const one = new ClassOf(`class {
      use() {}
      static { Object.defineProperty(this.prototype, 'late', { value() { return 1 } }) }
      static { this.prototype.use = function () { return 2 } }
    }`)
    expect(one.changes()).deep.equal(['value use#', 'value late#'])
  })

  it('are told of on the prototype of a generator, which has no constructor', () => {
    const count = vm.runInThisContext('(function* count() { yield 1 })') as GeneratorFunction
    const { analysis } = takeApart(count) as Exclude<ReturnType<typeof takeApart>, string>
    const prototype = count.prototype as object
    expect(changesOfPrototype(count, prototype, analysis)).deep.equal([])
    Object.assign(prototype, { first: () => 1 })
    expect(changesOfPrototype(count, prototype, analysis)).to.have.lengthOf(1)
    expect(parentOfPrototype(count, prototype, analysis)).equal(undefined)
  })

  it('are no constructor, name and length, unless somebody changed those', () => {
    const one = new ClassOf('class { constructor(a, b = 1, c) {} }')
    expect(one.changes()).deep.equal([])
    Object.defineProperty(one.made, 'length', { value: 3 })
    Object.defineProperty(one.made.prototype, 'constructor', { value: Object })
    expect(one.changes()).deep.equal(['value length', 'value constructor#'])
    expect(new ClassOf('class { static name() {} static length = "long" }').changes()).deep.equal(['value length'])
  })
})
