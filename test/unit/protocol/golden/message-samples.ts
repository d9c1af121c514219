/**
 * One message of every kind, with all that its type allows: fields that may be absent are there, and there is one of each
 * variant. The types see to that: what is added to a message, and to a union in it, has to be added here.
 */
import type { NodeId, ProcessId } from '../../../../runtime/base/ids.ts'
import type { RefusalCode } from '../../../../runtime/protocol/lease-messages.ts'
import type {
  Attachment,
  ExitReport,
  Holder,
  LeaseKind,
  LogLine,
  Message,
  MessageType,
  NodeRow,
  ObjectTuple,
  RefTuple,
  ResourceUnits,
  ResultTuple,
  StoreAnswer,
  StoreNote,
  StoreOperation,
  TableOperation,
} from '../../../../runtime/protocol/messages.ts'

type Leaf = string | number | boolean | null | undefined | Uint8Array

/** With everything that may be absent. */
type Whole<T> = T extends Leaf ? T : { readonly [K in keyof T]-?: Whole<T[K]> }

type Types = typeof MessageType
export type MessageKind = keyof Types
type MessageOf<K extends MessageKind> = Extract<Message, readonly [Types[K], ...unknown[]]>
type Fields<K extends MessageKind> = MessageOf<K> extends readonly [unknown, ...infer F] ? Whole<F> : never
/** The fields of one or more messages of each kind, without the type that begins them. */
type Samples = { readonly [K in MessageKind]: readonly [Fields<K>, ...Fields<K>[]] }

/** One of each member of a union of tuples that begin with a word. */
type Each<T extends readonly [string, ...unknown[]]> = {
  readonly [K in T[0]]: Whole<Extract<T, readonly [K, ...unknown[]]>>
}

const node = '0123456789abcdef' as NodeId
const process = 'fedcba9876543210' as ProcessId
const job = '00112233445566ff' as ProcessId
const key = 'fedcba9876543210-7'
const bytes = Uint8Array.of(1, 2, 3, 255)
/** A number of more than 32 bits. */
const far = 2 ** 40 + 1

const resources: ResourceUnits = [
  ['CPU', 5_000],
  ['memory', far],
]
const exit: Whole<ExitReport> = [1, 'SIGKILL', 4242, 'its last line\n', 'out of memory']
const row: Whole<NodeRow> = {
  id: node,
  url: 'ws://127.0.0.1:7420',
  hostname: 'host',
  pid: 4242,
  state: 'dead',
  total: resources,
  available: resources,
  labels: { zone: 'a' },
  queued: 300,
  workers: 70_000,
  head: true,
  reason: 'why',
}
const holders: readonly Whole<Holder>[] = [[node, process, 2]]
const ref: Whole<RefTuple> = [process, far, node, 1]
const objects: Each<ObjectTuple> = {
  inline: ['inline', bytes],
  stored: ['stored', far, holders],
  error: ['error', bytes],
}
const results: Each<ResultTuple> = { inline: ['inline', bytes, [ref]], stored: ['stored', far, [ref]] }
const attachments: readonly Whole<Attachment>[] = Object.values(objects).map((value) => [ref, value])

const streams: Readonly<Record<LogLine[0], 0>> = { stdout: 0, stderr: 0 }
const states: Readonly<Record<NodeRow['state'], 0>> = { alive: 0, draining: 0, dead: 0 }
const leaseKinds: Readonly<Record<LeaseKind, 0>> = { task: 0, pinned: 0 }
const leaseRefusals: Readonly<Record<RefusalCode, 0>> = { busy: 0, infeasible: 0, draining: 0, 'spawn-failed': 0 }
type Origin = MessageOf<'failed'>[5]
const origins: Readonly<Record<Origin, 0>> = { user: 0, system: 0, cancelled: 0, timeout: 0, setup: 0, arguments: 0 }
const statuses: Readonly<Record<MessageOf<'processStatus'>[2], 0>> = { alive: 0, dead: 0, unknown: 0 }
const nodeEvents: Readonly<Record<MessageOf<'nodeEvent'>[2], 0>> = { up: 0, down: 0 }
const places: Readonly<Record<MessageOf<'codePlace'>[2], 0>> = { ready: 0, make: 0, failed: 0 }

/** A sample for each word. */
function each<W extends string, S>(words: Readonly<Record<W, 0>>, sample: (word: W) => S): readonly [S, ...S[]] {
  return (Object.keys(words) as W[]).map(sample) as unknown as readonly [S, ...S[]]
}

/** A sample with each of the members of a union. */
function withEach<T, S>(of: Readonly<Record<string, T>>, sample: (one: T) => S): readonly [S, ...S[]] {
  return Object.values(of).map(sample) as unknown as readonly [S, ...S[]]
}

const sealed: Each<StoreNote>['sealed'] = ['sealed', key, 1, far, 4_096, true]
const notes: Each<StoreNote> = {
  sealed,
  returned: ['returned', 1, far, 4_096],
  released: ['released', [1, 300]],
  delete: ['delete', key],
  deleteOwner: ['deleteOwner', process],
  collected: ['collected'],
}
const storeOperations: Each<StoreOperation> = {
  room: ['room', 4_096, far],
  get: ['get', key, true, false],
  size: ['size', key],
  resync: ['resync', [[[1, far, 4_096]], [[7, 2]], [sealed]]],
}
const storeAnswers: readonly [Whole<StoreAnswer>, ...Whole<StoreAnswer>[]] = [
  [1, far, 4_096],
  ['arena', 7, 4_096, 1, far],
  ['file', 7, 4_096, '/run/outpool/spill/7', far, 123],
  [far],
  [],
]
const tableOperations: Each<TableOperation> = {
  get: ['get', 'name'],
  put: ['put', 'name', bytes, -1],
  delete: ['delete', 'name', 3],
  list: ['list', 'prefix/'],
  watch: ['watch', 'prefix/', 5],
  unwatch: ['unwatch', 5],
}

export const samples: Samples = {
  ping: [[]],
  pong: [[]],
  leaseRequest: each(leaseKinds, (kind) => [
    9,
    job,
    kind,
    resources,
    ['DEFAULT'],
    -3,
    '[[],null,[]]',
    [node],
    [[node, far]],
  ]),
  leaseCancel: [[9]],
  leaseGranted: [[9, 10, 11, process, '/run/outpool/w.sock', '/run/outpool/w.page', 4242]],
  leaseRedirected: [[9, node]],
  leaseRefused: each(leaseRefusals, (code) => [9, code, 'in words']),
  leaseReturn: [[10, true]],
  leaseReclaim: [[10, false]],
  workerEnd: [[9, process, 11, 'why']],
  workerEnded: [
    [9, exit, 12],
    [9, [null, null, 4242, '', ''], null],
  ],
  recall: [[9, process, 11, [1, 2]]],
  recalled: [[9, [1, 2]]],
  leaseStart: each(leaseKinds, (kind) => [11, process, job, kind, [10, 12]]),
  workerBlocked: [[11]],
  workerResumed: [[11]],
  workerExit: [['why']],
  workerHolds: [[true]],
  template: [[3, bytes]],
  push: [
    [11, 12, 3, far, 1, bytes, attachments],
    [11, 12, 3, far, 1, bytes, null],
  ],
  done: [[11, 12, 1_500, bytes]],
  doneMany: [[11, 12, 1_500, Object.values(results), [ref], 8]],
  failed: each(origins, (origin) => [11, 12, 1_500, bytes, origin, [ref]]),
  returned: [[11, [12, 13]]],
  abort: [[11, 12, true]],
  blocked: [[11, 12]],
  resumed: [[11, 12]],
  taskEvent: [[11, far, bytes]],
  part: [
    [4, bytes],
    [4, null],
  ],
  partDrop: [[4]],
  partMiss: [[far, [4, 5]]],
  generatorAllow: [[11, 12, 0, far, 16, 1]],
  generatorItem: [[11, 12, far, bytes]],
  generatorResult: withEach(results, (result) => [11, 12, far, result, 8]),
  replyAck: [[8]],
  objectGet: [[9, far]],
  objectValue: withEach(objects, (value) => [9, value]),
  objectLost: [[9, far, holders, holders, 'how']],
  objectCopied: [[far, node]],
  objectBring: [[far, node]],
  refAdd: [[9, [1, far], process, node, 1]],
  refAck: [[9]],
  refRemove: [[[1, far], process, job]],
  madeAt: [[key, 'app.js:3:7']],
  pull: [[9, key, far, holders, node]],
  prefetch: [[job, key, far, holders]],
  pulled: [[9, 'why', holders, holders, 'how']],
  replicate: [[9, job, key, far, holders]],
  replicated: [[9, 'why']],
  free: [[[key]]],
  dialBack: [['a-ticket']],
  processQuery: [[9, node, process]],
  processStatus: each(statuses, (status) => [9, status]),
  log: [[each(streams, (stream) => [stream, 4242, node, 'add', 'a line'])]],
  nodesRequest: [[9]],
  nodes: [[9, [row]]],
  nodeEvent: each(nodeEvents, (state) => [node, state, 'why']),
  nodeRegister: [[9, row]],
  nodeRegistered: [[9, far, [row]]],
  nodeLoad: each(states, (state) => [resources, 300, 70_000, state]),
  clusterView: [[far, [row]]],
  nodeDeclaredDead: [[node, 'why']],
  nodesHeld: [[far, [row]]],
  nodeCall: [[node, 'a-ticket']],
  nodeCallFailed: [[node, 'a-ticket', 'why']],
  headAway: [[9, 'why']],
  jobStart: [[9, job, { entrypoint: 'app.js', pid: 4242 }]],
  jobStarted: [[9]],
  jobEnd: [[job, 'why']],
  jobsHeld: [[[job], [process]]],
  tableRequest: withEach(tableOperations, (operation) => [9, 'kv', operation]),
  tableReply: [[9, 'why', [['name', 3, bytes]]]],
  tableEvent: [[5, [['name', 3, bytes]], ['gone']]],
  tokens: [['a-token', ['a-token', 'another']]],
  nodeDrain: [[9, 30_000, 'why']],
  nodeDrained: [[9, true]],
  chaos: [[9, { what: 'kill-worker', after: 1.5, list: [-1, -200, -70_000] }]],
  chaosDone: [[9, 'why', 'what']],
  countRequest: [[9]],
  counts: [[9, { tasks: 1 }]],
  storeRequest: withEach(storeOperations, (operation) => [9, operation]),
  storeReply: [[9, bytes, storeAnswers[0]], ...storeAnswers.map((answer) => [9, null, answer] as const)],
  storeNotes: [[Object.values(notes)]],
  storeCollect: [[]],
  codeNeed: [[9, 'a-key']],
  codePlace: each(places, (state) => [9, state, '/run/outpool/code/a-key']),
  codeMade: [['a-key', far, 'why', true]],
}
