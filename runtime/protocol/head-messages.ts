/** The messages of the head: membership, and the versioned tables that anybody may ask for. */
import type { NodeId, ProcessId } from '../base/ids.ts'
import type { MessageType } from './message-type.ts'
import type { NodeRow, ResourceUnits } from './messages.ts'

type T = typeof MessageType

// Node manager <-> head: membership.
type NodeRegister = readonly [type: T['nodeRegister'], requestId: number, row: NodeRow]
type NodeRegistered = readonly [
  type: T['nodeRegistered'],
  requestId: number,
  headEpoch: number,
  rows: readonly NodeRow[],
]
type NodeLoad = readonly [
  type: T['nodeLoad'],
  available: ResourceUnits,
  queued: number,
  workers: number,
  state: NodeRow['state'],
]
/** Rows that changed since the last view, dead ones included. */
type ClusterView = readonly [type: T['clusterView'], version: number, rows: readonly NodeRow[]]
type NodeDeclaredDead = readonly [type: T['nodeDeclaredDead'], node: NodeId, reason: string]

/**
 * The jobs that a node knows when it has registered: those whose home it is, and others. Ends are told to those who are
 * linked at that time; by this the head finds out whose end it has not heard of, and tells the others that are over.
 */
type JobsHeld = readonly [type: T['jobsHeld'], homes: readonly ProcessId[], others: readonly ProcessId[]]

/**
 * What a node knew of the cluster before it registered again, said before `jobsHeld`: the epoch of the newest head that
 * it has seen, and nodes that this head does not list, or lists as alive where they were dead. A head whose tables are
 * those of another head, older ones or none, learns of them whom it has to watch.
 */
type NodesHeld = readonly [type: T['nodesHeld'], headEpoch: number, rows: readonly NodeRow[]]

/**
 * A node whose port cannot be dialled is to dial instead: the one that is to call in what the asker says to the head, the
 * one that is to be called in what the head says to the other. The connection is known by the ticket.
 */
export type NodeCall = readonly [type: T['nodeCall'], node: NodeId, ticket: string]
/** It cannot: back by the same way, `node` as above. */
export type NodeCallFailed = readonly [type: T['nodeCallFailed'], node: NodeId, ticket: string, reason: string]

// Anybody -> head (a node manager forwards what its processes ask): versioned tables.
export type TableOperation =
  | readonly [operation: 'get', key: string]
  | readonly [
      operation: 'put',
      key: string,
      value: Uint8Array,
      /** -1: any; 0: only if absent */ expectedVersion: number,
    ]
  | readonly [operation: 'delete', key: string, expectedVersion: number]
  | readonly [operation: 'list', prefix: string]
  | readonly [operation: 'watch', prefix: string, watchId: number]
  | readonly [operation: 'unwatch', watchId: number]
export type TableRow = readonly [key: string, version: number, value: Uint8Array]
export type TableRequest = readonly [
  type: T['tableRequest'],
  requestId: number,
  table: string,
  operation: TableOperation,
]
/** `error` is '' when it went well; `rows` are those read or written. */
export type TableReply = readonly [type: T['tableReply'], requestId: number, error: string, rows: readonly TableRow[]]
export type TableEvent = readonly [
  type: T['tableEvent'],
  watchId: number,
  rows: readonly TableRow[],
  deleted: readonly string[],
]
/** Node manager -> process: what it asked of the head, a job's start included, was not answered in time. */
export type HeadAway = readonly [type: T['headAway'], requestId: number, reason: string]

export type HeadMessage =
  | NodeRegister
  | NodeRegistered
  | NodeLoad
  | ClusterView
  | NodeDeclaredDead
  | JobsHeld
  | NodesHeld
  | NodeCall
  | NodeCallFailed
  | TableRequest
  | TableReply
  | TableEvent
  | HeadAway
