/** What the program imports: of its own files, of packages, of Node. */
import * as acorn from 'acorn'
import { tokTypes, parse as parseText, type Options } from 'acorn'
import { both } from 'by-condition/sub'
import lodash from 'lodash'
import * as wholeLodash from 'lodash'
import { AsyncLocalStorage } from 'node:async_hooks'
import { createHash } from 'node:crypto'
import * as nodePath from 'node:path'
import path, { join } from 'node:path'
import square, { advance, again, bump, counter, greeting, settings, Shape } from './helpers.ts'
import * as helpers from './helpers.ts'
import type { Case, Table } from './types.ts'

const load = process.getBuiltinModule('node:module').createRequire(`${process.cwd()}/`)

type Only = typeof import('only-import')
let only: Only

/** A package that `require` does not reach: what a CommonJS program has of it, it has by `import()`. */
export async function prepare(): Promise<void> {
  only = await import('only-import')
}

export const imports: Table<Case> = {
  'named imports of the program': {
    'a function': () => ({ fn: (x: number) => advance(x), args: [1], change: () => bump() }),
    'a live binding': () => ({ fn: () => counter, change: () => bump() }),
    'a class': () => ({ fn: () => new Shape('s').describe(), change: () => (settings.mark += '!') }),
    'an object': () => ({
      fn: () => [settings.level, settings.tags.join()],
      change: () => {
        settings.level++
        settings.tags.push('b')
      },
    }),
    'under another name': () => ({ fn: () => again(1), change: () => bump() }),
  },
  'default imports of the program': {
    called: () => ({ fn: (x: number) => square(x), args: [5], change: () => settings.level++ }),
    'in a helper': () => {
      const twice = (x: number): number => square(square(x))
      return { fn: twice, args: [2], change: () => settings.level++ }
    },
    'in an object': () => {
      const shapes = { square }
      return { fn: (x: number) => shapes.square(x), args: [4], change: () => settings.level++ }
    },
    'handed on': () => ({ fn: () => [1, 2].map((x) => square(x)), change: () => settings.level++ }),
    'beside a named one': () => ({ fn: () => square(counter), change: () => bump() }),
  },
  'namespaces of the program': {
    called: () => ({ fn: (x: number) => helpers.default(x), args: [5], change: () => settings.level++ }),
    'a constant of one': () => ({
      fn: () => helpers.greeting + helpers.settings.level,
      change: () => settings.level++,
    }),
    'a live binding of one': () => ({ fn: () => helpers.counter, change: () => bump() }),
    'a class of one': () => ({ fn: () => new helpers.Shape('n').describe(), change: () => (settings.mark += '?') }),
    'in a helper': () => {
      const level = (): number => helpers.settings.level
      return { fn: () => level() + 1, change: () => settings.level++ }
    },
  },
  'named imports of packages': {
    'a function': () => {
      let text = '1+1'
      return { fn: () => parseText(text, { ecmaVersion: 2020 }).body.length, change: () => (text += ';2') }
    },
    'an object': () => {
      let key: 'name' | 'num' = 'name'
      return { fn: () => tokTypes[key].label, change: () => (key = 'num') }
    },
    'in a helper': () => {
      const options: Options = { ecmaVersion: 2020 }
      const size = (text: string): number | string => {
        try {
          return parseText(text, options).body.length
        } catch {
          return 'refused'
        }
      }
      return { fn: size, args: ['a ??= b'], change: () => (options.ecmaVersion = 2021) }
    },
    'by a condition': () => {
      let value = 1
      return { fn: () => both(value), change: () => (value = 2) }
    },
    'passed on': () => {
      let all: readonly unknown[] = ['1']
      return {
        fn: () => all.map((text) => parseText(String(text), { ecmaVersion: 2020 }).type),
        change: () => (all = []),
      }
    },
  },
  'default imports of packages': {
    called: () => {
      const items = [1, 2, 3]
      return { fn: () => lodash.chunk(items, 2), change: () => items.push(4, 5) }
    },
    'in a helper': () => {
      let plus = 0
      const total = (items: number[]): number => lodash.sum(items) + plus
      return { fn: total, args: [[1, 2]], change: () => (plus = 5) }
    },
    'in an object': () => {
      const tools = { sum: lodash.sum, by: 2 }
      return { fn: () => tools.sum([1, tools.by]), change: () => tools.by++ }
    },
    'one of its functions by name': () => {
      const { sortBy: sorted } = lodash
      const items = [3, 1]
      return { fn: () => sorted(items), change: () => items.push(2) }
    },
    'of Node': () => {
      let file = '/x/y.txt'
      return { fn: () => path.basename(file), change: () => (file = '/x/z') }
    },
  },
  'namespaces of packages': {
    called: () => {
      let text = 'a'
      return { fn: () => acorn.parse(text, { ecmaVersion: 2020 }).body.length, change: () => (text = 'a;b') }
    },
    'a class of one': () => {
      let text = 'a b'
      return {
        fn: () => [...acorn.tokenizer(text, { ecmaVersion: 2020 })].map(({ type }) => type.label),
        change: () => (text = '1'),
      }
    },
    'with a default': () => {
      const items = [2, 5]
      return { fn: () => wholeLodash.default.sum(items), change: () => items.push(1) }
    },
    'as an object': () => {
      const held = { acorn, n: 1 }
      return { fn: () => [typeof held.acorn.parse, held.n], change: () => held.n++ }
    },
    'of Node': () => {
      let file = 'a.ts'
      return { fn: () => nodePath.extname(file), change: () => (file = 'a.js') }
    },
  },
  'packages that only import reaches': {
    'a function that knows its own': () => {
      const { knows, make } = only
      let text = 'a'
      return { fn: () => [knows(make(text)), make(text).text], change: () => (text = 'b') }
    },
    'a class': () => {
      const { make, Token } = only
      let by: Function = Token
      return { fn: () => make('x') instanceof by, change: () => (by = Map) }
    },
    'a default': () => {
      const { default: whole } = only
      let times = 1
      return { fn: () => whole('w').repeat(times), change: () => (times = 2) }
    },
    'all of it': () => {
      const held = { only, n: 1 }
      return { fn: () => [held.only.knows(held.only.make('y')), held.n], change: () => held.n++ }
    },
    'the function itself': () => {
      const args = ['w']
      return { fn: only.default, args, change: () => (args[0] = 'v') }
    },
  },
  'required objects': {
    whole: () => {
      const loaded = load('lodash') as typeof lodash
      const items = [1, 2]
      return { fn: () => loaded.sum(items), change: () => items.push(3) }
    },
    'one export': () => {
      const { sortBy: sorted } = load('lodash') as typeof lodash
      const items = [3, 1]
      return { fn: () => sorted(items), change: () => items.push(0) }
    },
    'in a helper': () => {
      const { chunk } = load('lodash') as typeof lodash
      let size = 1
      const pieces = (items: number[]): number[][] => chunk(items, size)
      return { fn: pieces, args: [[1, 2, 3]], change: () => (size = 2) }
    },
    'of Node': () => {
      const util = load('node:util') as { format(...parts: unknown[]): string }
      let n = 1
      return { fn: () => util.format('%s-%d', 'a', n), change: () => n++ }
    },
    'in an object': () => {
      const tools = { lodash: load('lodash') as typeof lodash, acorn: load('acorn') as typeof acorn, text: '1' }
      return {
        fn: () => tools.lodash.sum([1, tools.acorn.parse(tools.text, { ecmaVersion: 5 }).body.length]),
        change: () => (tools.text = '1;2'),
      }
    },
  },
  'imports of Node': {
    named: () => {
      let last = greeting
      return { fn: () => join('a', last), change: () => (last = 'b') }
    },
    'a function of node:crypto': () => {
      let kind = 'sha256'
      return {
        fn: (text: string) => createHash(kind).update(text).digest('hex'),
        args: ['x'],
        change: () => (kind = 'sha1'),
      }
    },
    'a class, of which the function makes one': () => {
      let inner = 2
      return { fn: () => new AsyncLocalStorage().run(1, () => inner), change: () => inner++ }
    },
    'a function in a list': () => {
      const { dirname, basename } = load('path') as Record<'dirname' | 'basename', (name: string) => string>
      const steps = [dirname, basename]
      return { fn: () => steps.map((step) => step('/a/b')), change: () => steps.pop() }
    },
    'a function of a helper': () => {
      let up = '..'
      const near = (name: string): string => path.join('/a/b', up, name)
      return { fn: near, args: ['c'], change: () => (up = '.') }
    },
  },
}
