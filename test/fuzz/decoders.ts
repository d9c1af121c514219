/** Every decoder of bytes that come from outside a process, with valid samples of what it reads. */
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { OutpoolError, ProtocolError, SerializationError } from '../../runtime/base/errors.ts'
import type { ProcessId } from '../../runtime/base/ids.ts'
import { randomInteger } from '../../runtime/base/random.ts'
import type { Random } from '../../runtime/base/random.ts'
import { parseClusterAddress } from '../../runtime/cluster/node-address.ts'
import { parseNodeInfo } from '../../runtime/cluster/node-info.ts'
import { listRecords, recordsFolder } from '../../runtime/cluster/node-records.ts'
import { readNodeFile } from '../../runtime/cluster/run-folder.ts'
import { createDefinition, decodeDefinition } from '../../runtime/code/definition.ts'
import { compact, decodeCompact } from '../../runtime/objects/compact.ts'
import { decodeValue, encodeValue, flatten, parse } from '../../runtime/objects/value.ts'
import type { RefCodec, RefDescriptor } from '../../runtime/objects/value.ts'
import { encodeArguments, splitArguments } from '../../runtime/owner/arguments.ts'
import { decodeTemplate, encodeTemplate } from '../../runtime/owner/template.ts'
import type { TemplateBody } from '../../runtime/owner/template.ts'
import { decodeFrame, FrameBuilder, FrameSplitter } from '../../runtime/protocol/frames.ts'
import type { WireMessage } from '../../runtime/protocol/frames.ts'
import {
  decodeAnswer,
  decodeHello,
  encodeHello,
  encodeRefusal,
  encodeWelcome,
  parseHello,
  peerHello,
  RefusedError,
} from '../../runtime/transport/hello.ts'
import type { Hello } from '../../runtime/transport/hello.ts'
import type { Decoder } from './fuzz.ts'

const id = '0123456789abcdef' as ProcessId
const token = 'a token of the right length'
const maxFrame = 1024 * 1024
const generatedVariety = 400

class Ref {
  readonly descriptor: RefDescriptor
  constructor(descriptor: RefDescriptor) {
    this.descriptor = descriptor
  }
}

const refs: RefCodec = {
  isRef: (value) => value instanceof Ref,
  describe: (ref) => (ref as Ref).descriptor,
  revive: (descriptor) => new Ref(descriptor),
}

function isProtocolError(error: unknown): boolean {
  return error instanceof ProtocolError
}

const texts = ['', 'a', 'the name of a function', 'ы漢字😀', 'x'.repeat(300), '\ud800']
const big = new Float64Array(9_000).fill(0.5)
const memory = new ArrayBuffer(128)

const values: readonly unknown[] = [
  ...[undefined, null, true, 0, -1, 2 ** 40, 0.1, -0, NaN, 5n, -(2n ** 200n), ...texts],
  ...[[], [1, 2, 3], [1, , 3], Array.from({ length: 50 }, (_, i) => i), Array.from({ length: 50 }, (_, i) => i / 3)],
  Array.from({ length: 20_000 }, (_, i) => i),
  Object.assign(new Array<unknown>(5_000), { 17: 'x', name: 'sparse' }),
  ...[{ a: 1, b: { c: [{ d: 2 }, { d: 3 }] } }, Object.assign(Object.create(null) as object, { x: 1 })],
  JSON.parse('{"__proto__": {"polluted": true}, "constructor": {"prototype": {"polluted": true}}}'),
  new Map<unknown, unknown>([
    [1, new Set([1, 'two', {}])],
    [{}, new Map()],
  ]),
  ...[
    new Date(0),
    /a+(?<b>c)/giu,
    Object(1) as object,
    Object('s') as object,
    new URL('https://a.example/b?c=d'),
    new URLSearchParams('a=b'),
  ],
  ...[memory, new Uint8Array(memory, 8, 16), new DataView(memory, 1, 3), Buffer.from('hello'), big, new Uint8Array(3)],
  Object.assign(new TypeError('wrong', { cause: new Error('why') }), { code: 'E_WRONG', details: { at: [1] } }),
  ...[new AggregateError([new Error('a'), 1], 'several'), new DOMException('gone', 'AbortError')],
  new Ref({ owner: id, number: 7, address: { node: id, process: id } }),
  { list: [new Ref({ owner: id, number: 2 ** 40, address: { node: id, process: id } })], twice: [memory, memory] },
]

const anything = fc.anything({
  withBigInt: true,
  withDate: true,
  withMap: true,
  withSet: true,
  withTypedArray: true,
  withSparseArray: true,
  withNullPrototype: true,
})

/** Generated once from a fixed seed; an input picks one of them, so that it still depends on its number alone. */
function generated<T>(arbitrary: fc.Arbitrary<T>, encode: (value: T) => Uint8Array): (random: Random) => Buffer {
  let made: Buffer[] | undefined
  return (random) => {
    made ??= fc.sample(arbitrary, { numRuns: generatedVariety, seed: 1 }).flatMap((value) => {
      try {
        return [Buffer.from(encode(value))]
      } catch {
        // Generated values that must not travel are refused here already: there are no bytes of them.
        return []
      }
    })
    return made[randomInteger(random, made.length)] as Buffer
  }
}

const messages: readonly WireMessage[] = [
  [1],
  [2, 7, 'text', null, undefined, true, false, 1.5, -0, -7, 300, 70_000, 2 ** 40, -200, -70_000],
  [3, new Uint8Array(10), new Uint8Array(100), new Uint8Array(300), ['nested', [[[]]]], { hostname: 'a', list: [1] }],
  [4, 'x'.repeat(100), 'ы'.repeat(40), Array.from({ length: 40 }, (_, i) => i)],
]

function frame(of: readonly WireMessage[]): Buffer {
  const builder = new FrameBuilder(maxFrame)
  for (const message of of) builder.append(message)
  return Buffer.from(builder.take())
}

const wireValue = fc.letrec((tie) => ({
  any: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.oneof(fc.double(), fc.integer(), fc.string(), fc.boolean(), fc.constantFrom(null, undefined), fc.uint8Array()),
    fc.array(tie('any'), { maxLength: 5 }),
    fc.dictionary(fc.string(), tie('any'), { maxKeys: 4 }),
  ),
})).any
const wireMessages = fc.array(fc.array(wireValue, { maxLength: 6 }), { minLength: 1, maxLength: 5 })

/** The stream in pieces of a size that its own first byte says. */
function split(bytes: Buffer): WireMessage[] {
  const found: WireMessage[] = []
  const splitter = new FrameSplitter(maxFrame, (body, start, stop) => found.push(...decodeFrame(body, start, stop)))
  const step = 1 + ((bytes[bytes.length - 1] ?? 0) % 97)
  for (let at = 0; at < bytes.length; at += step) splitter.push(bytes.subarray(at, at + step))
  return found
}

const frames: Decoder[] = [
  {
    name: 'frame',
    samples: [frame(messages).subarray(4), ...messages.map((message) => frame([message]).subarray(4))],
    generate: generated(wireMessages, (list) => frame(list.map((fields) => [1, ...fields])).subarray(4)),
    decode: (bytes) => decodeFrame(bytes),
    documented: isProtocolError,
  },
  {
    name: 'stream of frames',
    samples: [Buffer.concat([frame(messages), frame([[5]]), frame(messages)]), frame([[1]])],
    decode: split,
    documented: isProtocolError,
  },
]

const local = { kind: 'node', node: id, process: id, info: { hostname: 'h', list: [1, { a: null }] } } as const
const hellos: readonly Hello[] = [
  { from: peerHello(local), to: 'any', channel: 'control' },
  { from: peerHello(local), to: { node: id, process: id }, channel: 'bulk', hops: 1 },
  { from: peerHello({ ...local, kind: 'driver' }), to: 'any', channel: 'back', ticket: 'abc' },
]

function isRefused(error: unknown): boolean {
  return error instanceof RefusedError
}

const handshake: Decoder[] = [
  {
    name: 'hello',
    samples: hellos.map((hello) => encodeHello(hello, token)),
    decode: (bytes) => decodeHello(bytes, token, 4096),
    documented: isRefused,
  },
  {
    name: 'hello in a header',
    samples: hellos.map((hello) => Buffer.from(JSON.stringify(hello))),
    decode: (bytes) => parseHello(bytes.toString('utf8')),
    documented: isRefused,
  },
  {
    name: 'answer to a hello',
    samples: [encodeWelcome(local), encodeRefusal({ code: 'authentication', reason: 'wrong' })],
    decode: (bytes) => decodeAnswer(bytes),
    // A refusal becomes the error that it stands for.
    documented: (error) => error instanceof OutpoolError,
  },
]

function isValueError(error: unknown): boolean {
  return error instanceof ProtocolError || error instanceof SerializationError
}

function encoded(value: unknown): Uint8Array {
  return flatten(encodeValue(value, 'value', refs))
}

/** A buffer that has an ArrayBuffer to itself is taken over by the decoder, as it is when it was read from a file. */
function owned(bytes: Buffer): unknown {
  const { inband, buffers, refs: descriptors } = parse(bytes)
  return decodeValue({ inband, buffers: buffers.map((part) => new Uint8Array(part)), refs: descriptors }, refs)
}

const objects: Decoder[] = [
  {
    name: 'value',
    samples: values.map((value) => Buffer.from(encoded(value))),
    generate: generated(anything, encoded),
    decode: (bytes) => decodeValue(parse(bytes), refs),
    documented: isValueError,
  },
  {
    name: 'value with buffers of its own',
    samples: values.map((value) => Buffer.from(encoded(value))),
    decode: owned,
    documented: isValueError,
  },
  {
    name: 'in-band bytes of a value',
    samples: values
      .map((value) => encodeValue(value, 'value', refs))
      .filter(({ buffers, refs: descriptors }) => buffers.length === 0 && descriptors.length === 0)
      .map(({ inband }) => Buffer.from(inband)),
    generate: generated(anything, (value) => encodeValue(value, 'value', refs).inband),
    decode: (bytes) => decodeValue({ inband: bytes, buffers: [], refs: [] }, refs),
    documented: isValueError,
  },
  {
    name: 'compact value',
    samples: values.map((value) => Buffer.from(compact(encodeValue(value, 'value', refs)))),
    generate: generated(anything, (value) => compact(encodeValue(value, 'value', refs))),
    decode: (bytes) => decodeCompact(bytes, refs),
    documented: isValueError,
  },
]

function encodeArgs(args: readonly unknown[]): Uint8Array {
  return encodeArguments(args, refs, () => {
    throw new Error('a sample is too large')
  }).bytes
}

const body: TemplateBody = {
  ...{ kind: 'task', mode: 'call', name: 'add', job: id, environment: '', numReturns: 1, maxRetries: 3 },
  definition: createDefinition({ kind: 'source', text: '(a, b) => a + b', name: 'add' }).bytes,
}

const tasks: Decoder[] = [
  {
    name: 'arguments',
    samples: [encodeArgs([]), encodeArgs([1, 'two', [3], { four: 4 }]), encodeArgs([values[30]])].map((bytes) =>
      Buffer.from(bytes),
    ),
    generate: generated(fc.array(anything, { maxLength: 5 }), encodeArgs),
    decode: (bytes) =>
      splitArguments(bytes, null).map((part) => (part instanceof Uint8Array ? decodeCompact(part, refs) : part)),
    documented: isValueError,
  },
  {
    name: 'template',
    samples: [encodeTemplate(body), encodeTemplate({ ...body, mode: 'starmap', name: 'ы'.repeat(40) })].map((bytes) =>
      Buffer.from(bytes),
    ),
    decode: (bytes) => decodeTemplate(bytes),
    documented: isProtocolError,
  },
  {
    name: 'function definition',
    samples: [
      createDefinition({ kind: 'source', text: '() => 1', name: '' }).bytes,
      createDefinition({ kind: 'module', url: 'file:///a/b.js', exportName: 'default.c' }).bytes,
    ].map((bytes) => Buffer.from(bytes)),
    decode: (bytes) => decodeDefinition(bytes),
    documented: isProtocolError,
  },
  {
    name: 'content of a function definition',
    samples: ['["source","() => 1",""]', '["module","file:///a/b.js","default"]', '["module","node:fs","a.b"]'].map(
      (text) => Buffer.from(text),
    ),
    decode: (bytes) => decodeDefinition(signed(bytes)),
    documented: isProtocolError,
  },
]

/** The content under the id that it must have: what a peer would send that lies about nothing but the content. */
function signed(content: Buffer): Buffer {
  return Buffer.concat([createHash('sha256').update(content).digest().subarray(0, 16), content])
}

const nodeFile = {
  ...{ id, token, url: 'ws://127.0.0.1:7420', headUrl: 'ws://127.0.0.1:7420', hostname: 'h', head: true },
  ...{
    pid: process.pid,
    pidStart: '1',
    pidSpace: '1',
    logFile: '',
    runFolder: '/x',
    probe: { path: '/x', nonce: 'n' },
  },
}
const nodeFiles = [Buffer.from(JSON.stringify(nodeFile))]

function never(): boolean {
  return false
}

/** Readers of what stands in files, in folders that the caller removes. */
export function fileDecoders(folder: string): Decoder[] {
  const home = mkdtempSync(join(folder, 'fuzz-'))
  mkdirSync(recordsFolder(home))
  return [
    {
      name: 'node.json',
      samples: nodeFiles,
      decode(bytes) {
        writeFileSync(join(home, 'node.json'), bytes)
        return readNodeFile(home)
      },
      documented: never,
    },
    {
      name: 'record of a node',
      samples: nodeFiles,
      decode(bytes) {
        writeFileSync(join(recordsFolder(home), `${id}.json`), bytes)
        const found = listRecords(home)
        for (const { pid } of found)
          if (!Number.isSafeInteger(pid) || pid <= 0) throw new Error(`a record of process ${pid}`)
        return found
      },
      documented: never,
    },
  ]
}

const plainTexts: Decoder[] = [
  {
    name: 'address of a cluster',
    samples: ['ws://127.0.0.1:7420', 'host', '[::1]:80', 'wss://a.example'].map((text) => Buffer.from(text)),
    decode: (bytes) => parseClusterAddress(bytes.toString('utf8')),
    documented: (error) => error instanceof OutpoolError,
  },
  {
    name: 'welcome of a node',
    samples: nodeFiles,
    decode(bytes) {
      let info: unknown
      try {
        info = JSON.parse(bytes.toString('utf8'))
      } catch {
        return undefined
      }
      return typeof info === 'object' && info !== null ? parseNodeInfo(info as Record<string, unknown>) : undefined
    },
    documented: never,
  },
]

export const decoders: readonly Decoder[] = [...frames, ...handshake, ...objects, ...tasks, ...plainTexts]
