import vm from 'node:vm'
import { expect } from 'chai'
import { isOfText, type ClassMembers } from '../../../runtime/code/class-members.ts'
import { analyseFunction } from '../../../runtime/code/free-variables.ts'

type Made = Record<string, unknown> & { readonly prototype: object }

/** The class that a text makes, and whether a property of it, or of another, is of its text. */
class ClassOf {
  readonly made: Made
  readonly #members: ClassMembers

  constructor(text: string) {
    this.made = vm.runInThisContext(`(${text})`) as Made
    const analysis = analyseFunction(text)
    if (analysis.kind !== 'class') throw new Error('no class')
    this.#members = analysis.members
  }

  has(of: object, key: string | symbol): boolean {
    const side = of === this.made ? 'own' : 'inherited'
    return isOfText(this.#members, side, key, Object.getOwnPropertyDescriptor(of, key) as PropertyDescriptor)
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
      expect(one.has(one.made.prototype, key), String(key)).true
    for (const key of ['made', 'static', 'one']) expect(one.has(one.made, key), key).true
  })

  it('are no functions that were put in their place, and no accessor of which one half was', () => {
    const one = new ClassOf('class { use() {} get both() { return 1 } set both(value) {} static make() {} }')
    const both = Object.getOwnPropertyDescriptor(one.made.prototype, 'both')
    Object.defineProperty(one.made.prototype, 'use', { value: () => 1 })
    Object.defineProperty(one.made.prototype, 'both', { ...both, get: () => 2 })
    one.made['make'] = () => 3
    expect([
      one.has(one.made.prototype, 'use'),
      one.has(one.made.prototype, 'both'),
      one.has(one.made, 'make'),
    ]).deep.equal([false, false, false])
  })

  it('are not at the key of another one', () => {
    const one = new ClassOf(`class {
      on() { return 1 }
      add() { return 2 }
      1() { return 3 }
      ['com' + 'puted']() { return 4 }
      static on() { return 5 }
      static make() { return 6 }
    }`)
    const { made } = one
    const prototype = made.prototype as Record<string, unknown>
    for (const key of ['on', 'add', '1', 'computed']) expect(one.has(prototype, key), key).equal(true)
    prototype['add'] = prototype['on']
    prototype['1'] = prototype['computed']
    Object.defineProperty(prototype, 'alias', { value: prototype['on'] })
    made['make'] = made['on']
    made['on'] = prototype['on']
    for (const key of ['add', '1', 'alias']) expect(one.has(prototype, key), key).equal(false)
    for (const key of ['make', 'on']) expect(one.has(made, key), `static ${key}`).equal(false)
  })

  it('are what a static block puts there, which it does wherever the class is made', () => {
    const one = new ClassOf('class { static { Object.defineProperty(this.prototype, "late", { value() {} }) } }')
    expect(one.has(one.made.prototype, 'late')).equal(true)
  })

  it('are no others, where a static block only gives names or values', () => {
    const text =
      'class { use() {} static { const __name = (of) => of; __name(this, "Tool") } static { this.made = 1 } }'
    const one = new ClassOf(text)
    Object.defineProperty(one.made.prototype, 'use', { value: () => 1 })
    expect(one.has(one.made.prototype, 'use')).equal(false)
  })
})
