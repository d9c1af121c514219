/** What the samples are as bytes, by name: what two processes of one protocol version must read and write alike. */
import { createHash } from 'node:crypto'
import { codeCodec } from '../../../../runtime/code/captures/send-code.ts'
import { form, half, inherits, mark, parts } from '../../../../runtime/code/captures/code-forms.ts'
import type { NeededModule } from '../../../../runtime/code/captures/loaded-modules.ts'
import { closureDefinition, createDefinition } from '../../../../runtime/code/definition.ts'
import { writeArchive } from '../../../../runtime/code/modules/archive.ts'
import { environmentWord } from '../../../../runtime/code/modules/environment.ts'
import type { PackagesPart, PackedManifest } from '../../../../runtime/code/modules/manifest.ts'
import type { ProcessId } from '../../../../runtime/base/ids.ts'
import { compact } from '../../../../runtime/objects/compact.ts'
import { encodeValue, flatten } from '../../../../runtime/objects/value.ts'
import type { EncodedValue } from '../../../../runtime/objects/value.ts'
import { tag, viewKinds } from '../../../../runtime/objects/value-format.ts'
import { encodeArguments } from '../../../../runtime/owner/arguments.ts'
import { captureFlags, packCaptures } from '../../../../runtime/owner/captured-format.ts'
import { encodeTemplate } from '../../../../runtime/owner/template.ts'
import type { CallMode, TaskKind, TemplateBody } from '../../../../runtime/owner/template.ts'
import { FrameBuilder } from '../../../../runtime/protocol/frames.ts'
import type { WireMessage } from '../../../../runtime/protocol/frames.ts'
import { MessageType } from '../../../../runtime/protocol/messages.ts'
import { encodeHello, encodeRefusal } from '../../../../runtime/transport/hello.ts'
import { code, namespace, plain } from './code-samples.ts'
import { sharedMemory } from './memory-samples.ts'
import { samples, type MessageKind } from './message-samples.ts'
import { refCodec, values } from './value-samples.ts'

const pusher = 'fedcba9876543210' as ProcessId
const pack = [pusher, 7, pusher] as const
const maxFrame = 1024 * 1024

/** A frame with one message or more of that kind. */
function frameOf(kind: MessageKind): Buffer {
  const builder = new FrameBuilder(maxFrame)
  for (const fields of samples[kind]) builder.append([MessageType[kind], ...fields] as unknown as WireMessage)
  return Buffer.from(builder.take())
}

/** What is in front of every connection. */
function handshake(): Record<string, Uint8Array> {
  const from = {
    kind: 'node',
    node: pusher,
    process: pusher,
    info: {},
    protocol: 0,
    version: '0.0.0',
    nodeMajor: 20,
  } as const
  const to = { node: pusher, process: pusher }
  return {
    hello: encodeHello({ from, to, channel: 'back', ticket: 'a-ticket', hops: 1 }, 'a token'),
    refusal: encodeRefusal({ code: 'authentication', reason: 'why' }),
  }
}

/** Texts of functions in their order, as a call is sent them; they travel apart. */
function encodedCode(value: unknown): EncodedValue {
  const texts: string[] = []
  const add = (text: string): number => {
    const known = texts.indexOf(text)
    return known < 0 ? texts.push(text) - 1 : known
  }
  const sink = { add, module: () => {}, variable: () => {} }
  return encodeValue(value, 'value', { ...refCodec, code: codeCodec(sink, undefined, true) })
}

const callModes: Readonly<Record<CallMode, 0>> = {
  ...{ call: 0, map: 0, starmap: 0, each: 0, signal: 0, generate: 0, turn: 0, exact: 0, exactSignal: 0 },
}
const taskKinds: Readonly<Record<TaskKind, 0>> = { task: 0, 'actor-creation': 0, 'actor-call': 0 }
const source = createDefinition({ kind: 'source', text: '(a, b) => a + b', name: 'add' }).bytes
const template: TemplateBody = {
  ...{ kind: 'task', mode: 'call', name: 'add', definition: source, job: pusher, environment: '' },
  ...{ numReturns: 1, maxRetries: 3 },
}
const modules: readonly Required<NeededModule>[] = [
  { url: 'file:///app/node_modules/a/b.js', package: { name: 'a', version: '1.0.0', path: 'b.js' }, pack },
]

function calls(): Record<string, Uint8Array> {
  const found: Record<string, Uint8Array> = {
    'definition source': source,
    'definition closure': closureDefinition('() => a', 'f').bytes,
    'definition module': createDefinition({ kind: 'module', url: 'file:///a/b.js', exportName: 'default.c', pack })
      .bytes,
    arguments: encodeArguments([1, 'two', { three: 3 }, refOf(), new Uint8Array(3)], refCodec, () => pack).bytes,
    captures: packCaptures(modules, Uint8Array.of(0, 1)),
    'captures without modules': packCaptures([], Uint8Array.of(0, 1)),
    'capture flags': Uint8Array.of(
      captureFlags({ isReusable: true, isChecked: false }),
      captureFlags({ isReusable: false, isChecked: true }),
    ),
    archive: Buffer.concat(
      writeArchive([
        { path: 'b/c.js', executable: true, bytes: Uint8Array.of(1) },
        { path: 'a.js', executable: false, bytes: Uint8Array.of() },
      ]),
    ),
    environment: Buffer.from(
      environmentWord({ env: { B: '2', A: '1' }, workingDir: pack, preloads: ['outpool:compat/x.js'] }),
    ),
  }
  for (const mode of Object.keys(callModes) as CallMode[])
    found[`template ${mode}`] = encodeTemplate({ ...template, mode })
  for (const kind of Object.keys(taskKinds) as TaskKind[])
    found[`template ${kind}`] = encodeTemplate({ ...template, kind })
  return found
}

const archived = { id: '0123456789abcdef0123456789abcdef', bytes: 5 }
const names = [{ name: 'a', version: '1.0.0' }]
const packages: { readonly [H in PackagesPart['how']]: Extract<PackagesPart, { readonly how: H }> } = {
  vendor: { how: 'vendor', archive: archived, platform: 'linux-x64', names },
  install: { how: 'install', archive: archived, command: 'npm', args: ['ci'], env: { CI: '1' }, folder: 'app', names },
  present: { how: 'present', folder: '/app/node_modules', names },
}

function manifests(): PackedManifest[] {
  return Object.values(packages).map((part) => ({
    manifest: { kind: 'bundle', code: archived, entry: 'b.js', origin: '/app/b.js', packages: part, reasons: ['why'] },
    archives: { [archived.id]: pack },
  }))
}

function refOf(): unknown {
  return (values.ref as readonly unknown[])[0]
}

const mostShown = 4_096

/** Small bytes as they are; of large ones how they begin, and what they are told apart by. */
function shown(bytes: Uint8Array): string {
  const text = Buffer.from(bytes).toString('hex')
  if (text.length <= mostShown) return text
  const hash = createHash('sha256').update(bytes).digest('hex')
  return `${text.slice(0, mostShown)}... ${bytes.length} bytes, sha256 ${hash}`
}

/** By name: bytes in hex, tables as JSON. */
export async function encoded(): Promise<Record<string, string>> {
  const tables = { MessageType, tag, viewKinds, form, mark, half, inherits, parts }
  const found: Record<string, string> = {}
  for (const [name, table] of Object.entries(tables)) found[`table ${name}`] = JSON.stringify(table)
  for (const kind of Object.keys(samples) as MessageKind[]) found[`message ${kind}`] = shown(frameOf(kind))
  for (const [name, value] of Object.entries(values)) {
    const one = encodeValue(value, 'value', refCodec)
    found[`value ${name}`] = shown(compact(one))
    if (name === 'ref' || name === 'tables') found[`flattened ${name}`] = shown(flatten(one))
  }
  for (const [name, value] of Object.entries({ ...code, namespace: await namespace() }))
    found[`code ${name}`] = shown(compact(encodedCode(value)))
  found['code in the value'] = shown(compact(encodeValue(plain, 'value', { ...refCodec, code: codeCodec() })))
  found['manifests'] = shown(compact(encodeValue(manifests(), 'value')))
  for (const [name, bytes] of Object.entries({ ...handshake(), ...calls() })) found[name] = shown(bytes)
  return { ...found, ...sharedMemory() }
}
