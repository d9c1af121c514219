/** What cannot travel, captured or as an argument; once it is exchanged for something that can, the function does. */
import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks'
import { EventEmitter } from 'node:events'
import { createReadStream, createWriteStream, opendirSync } from 'node:fs'
import { open, type FileHandle } from 'node:fs/promises'
import { createServer as createHttpServer } from 'node:http'
import { createServer, Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { MessageChannel } from 'node:worker_threads'
import type { Refusal, Table } from './types.ts'

const closing: (() => unknown)[] = []
let file: FileHandle

/** Opens what the cases hold on to; `finish` closes it. */
export async function prepareRefused(): Promise<void> {
  file = await open('/dev/null')
  closing.push(() => file.close())
}

export async function finishRefused(): Promise<void> {
  for (const close of closing) await close()
}

function closed<T extends { destroy(): unknown }>(stream: T): T {
  closing.push(() => stream.destroy())
  return stream
}

/** The value captured; afterwards it is 5. */
function captured(value: unknown, reason: RegExp): Refusal {
  let held = value
  return { fn: () => held, reason, change: () => (held = 5) }
}

function within(value: unknown, reason: RegExp): Refusal {
  const data: { list: unknown[] } = { list: [1, { deep: value }] }
  return { fn: () => data, reason, change: () => data.list.pop() }
}

function used(value: unknown, reason: RegExp): Refusal {
  const tool = { held: value }
  const helper = (): unknown => typeof tool.held
  return { fn: () => helper(), reason, change: () => (tool.held = 'text') }
}

function given(value: unknown, reason: RegExp): Refusal {
  const args = [{ value }]
  return { fn: (one: unknown) => one, args, reason, change: () => (args[0] = { value: [1] }) }
}

function keyed(value: unknown, reason: RegExp): Refusal {
  const map = new Map([['key', value]])
  return { fn: () => map, reason, change: () => map.set('key', null) }
}

type Made = () => unknown

/** The same five ways for each. */
function fiveOf(make: readonly [Made, Made, Made, Made, Made], reason: RegExp): Table<Refusal>[string] {
  return {
    captured: () => captured(make[0](), reason),
    'in data': () => within(make[1](), reason),
    'in a helper': () => used(make[2](), reason),
    'as an argument': () => given(make[3](), reason),
    'in a Map': () => keyed(make[4](), reason),
  }
}

function* counting(): Generator<number> {
  yield 1
}
async function* asyncCounting(): AsyncGenerator<number> {
  yield 1
}
function started(): unknown {
  const running = counting()
  running.next()
  return running
}
const add = (a: number, b: number): number => a + b

class Pledge extends Promise<number> {}
class Bus extends EventEmitter {}
class Storage extends AsyncLocalStorage<number> {}
const listening = (): unknown => new EventEmitter().on('x', () => 1)

function rejected(): unknown {
  const failing = Promise.reject(new Error('expected'))
  failing.catch(() => undefined)
  return failing
}

function propertyOf(object: object, name: string): unknown {
  return Reflect.get(object, name)
}

function resolver(): unknown {
  let give: unknown
  void new Promise((resolve) => (give = resolve))
  return give
}

function port(): unknown {
  const { port1 } = new MessageChannel()
  closing.push(() => port1.close())
  return port1
}

function directory(): unknown {
  const found = opendirSync('.')
  closing.push(() => found.closeSync())
  return found
}

function own(description: string): symbol {
  return Symbol(description)
}

export const refusedValues: Table<Refusal> = {
  'native functions': fiveOf(
    [
      () => new Intl.Collator('en').compare,
      () => propertyOf(new Intl.NumberFormat('en'), 'format'),
      () => propertyOf(new Intl.DateTimeFormat('en'), 'format'),
      resolver,
      () => Proxy.revocable({}, {}).revoke,
    ],
    /native function/,
  ),
  'bound functions': fiveOf(
    [
      () => add.bind(null, 1),
      () => counting.bind(undefined),
      () => new Map().get.bind(new Map()),
      () => Bus.bind(null),
      () => console.log.bind(console),
    ],
    /bound function/,
  ),
  'generators in flight': fiveOf(
    [
      counting,
      started,
      asyncCounting,
      () =>
        ({
          *own(): Generator {
            yield 1
          },
        }).own(),
      () => new Map([[1, 2]]).entries(),
    ],
    /a generator|an iterator|AsyncGenerator|prototype of its own/,
  ),
  promises: fiveOf(
    [
      () => Promise.resolve(1),
      () => new Promise(() => undefined),
      rejected,
      () => Pledge.resolve(2),
      async () => add(1, 2),
    ],
    /Promise; await it first|async/,
  ),
  proxies: fiveOf(
    [
      () => new Proxy({}, {}),
      () => new Proxy([1], {}),
      () => new Proxy(add, {}),
      () => new Proxy(new Map(), {}),
      () => new Proxy(Bus, {}),
    ],
    /a Proxy/,
  ),
  'weak collections': fiveOf(
    [
      () => new WeakMap(),
      () => new WeakSet(),
      () => new WeakRef({}),
      () => new (class extends WeakMap {})(),
      () => new FinalizationRegistry(() => undefined),
    ],
    /Weak(?:Map|Set|Ref)|FinalizationRegistry/,
  ),
  sockets: fiveOf(
    [
      () => new Socket(),
      () => createServer(),
      () => closed(new TLSSocket(new Socket())),
      port,
      () => createHttpServer(),
    ],
    /holds a native handle; open it inside the function/,
  ),
  'file handles': fiveOf(
    [
      () => file,
      () => closed(createReadStream('/dev/null')),
      () => closed(createWriteStream('/dev/null')),
      directory,
      () => [file],
    ],
    /holds a native handle|an instance of class Dir/,
  ),
  'unregistered symbols': {
    captured: () => captured(own('a'), /a symbol \(Symbol\(a\)\)/),
    'in data': () => within(own('b'), /symbol/),
    'as an argument': () => given(own('c'), /symbol/),
    'as a key': () => {
      const object: Record<symbol, number> = { [own('d')]: 1 }
      const [key] = Object.getOwnPropertySymbols(object) as [symbol]
      return { fn: () => object, reason: /keyed by Symbol\(d\)/, change: () => Reflect.deleteProperty(object, key) }
    },
    'in a Map': () => keyed(own('e'), /symbol/),
  },
  'emitters that are heard here': fiveOf(
    [
      listening,
      () => new EventEmitter().once('y', () => 1),
      () => new Bus().on(Symbol.for('z'), () => 1),
      () => new Bus().prependListener('x', () => 1),
      listening,
    ],
    /an EventEmitter with a listener for/,
  ),
  'async context': fiveOf(
    [
      () => new AsyncLocalStorage(),
      () => new Storage(),
      () => new AsyncResource('X'),
      () => new AsyncLocalStorage(),
      () => new AsyncResource('Y'),
    ],
    /AsyncLocalStorage|Storage|AsyncResource|class \w+/,
  ),
}
