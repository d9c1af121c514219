/**
 * The nodes that this user started on this machine, each in a file of Outpool's folder: `nodes/<id>.json`, beside its
 * log. This is how `outpool stop` finds them, and `outpool status` the local head. A node that is stopped removes its
 * record; its log stays for a while, since it may say why.
 *
 * A node that ends by an error says it in its record as well, over what is there: that takes no room, and the log may be on
 * the very disk that is full. One that is killed leaves its record as it is. Both stay until somebody has read them
 * (`outpool stop`), or a node starts again.
 */
import { randomBytes } from 'node:crypto'
import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { isProcessId } from '../base/ids.ts'
import type { NodeId } from '../base/ids.ts'
import { findOutpoolHome, outpoolHome } from '../base/home-folder.ts'
import { namesIn } from '../base/names-in.ts'
import { openNew, writeNew } from '../base/new-file.ts'
import { advised } from '../base/system-advice.ts'
import { earlierLog } from '../node/rotate-file.ts'
import type { DaemonOptions } from './daemon-options.ts'
import { noteProcess, stateOfProcess } from '../base/process-identity.ts'
import type { ProcessNote } from '../base/process-identity.ts'
import { makeHomeFolder } from './token.ts'

export interface NodeRecord extends ProcessNote {
  readonly id: NodeId
  readonly url: string
  readonly headUrl: string
  readonly head: boolean
  /** '' when it runs in the foreground. */
  readonly logFile: string
  /** How long it lets work end after SIGTERM, in milliseconds. */
  readonly drainMs?: number
  /** What it was started with, so that it can be started again. */
  readonly options?: DaemonOptions
  /** How it ended, where that was by an error; a process that is gone and did not say so was killed. */
  readonly ended?: { readonly atMs: number; readonly why: string }
}

/** A record is blown up to a multiple of this, in bytes: what a file takes on most disks. */
const recordUnitBytes = 4_096
/** Kept free in a record for how its node ends, in bytes. */
const lastWordsBytes = 2_048
const mostWhyCharacters = 600

/** How another disk is chosen for all of this. */
const elsewhere = 'set OUTPOOL_HOME to another folder'

/** Logs of dead nodes that are kept. */
const keptLogs = 20

export function recordsFolder(home: string = outpoolHome()): string {
  return join(home, 'nodes')
}

/** Records the calling process as this node; `before`: as which one it has recorded itself, and is not any more. */
export function writeRecord(
  record: Omit<NodeRecord, keyof ProcessNote>,
  home: string = outpoolHome(),
  before?: NodeId,
): void {
  try {
    writeWhole(record, home, before)
  } catch (error) {
    throw advised('what this node is cannot be written down', error, elsewhere)
  }
  for (const { id } of endedRecords(home)) removeRecord(id, home)
}

function writeWhole(record: Omit<NodeRecord, keyof ProcessNote>, home: string, before?: NodeId): void {
  const folder = recordsFolder(home)
  makeHomeFolder(folder)
  const path = recordPath(record.id, home)
  // Renamed into place: a reader sees all of it or nothing.
  const draft = `${path}.${process.pid}`
  rmSync(draft, { force: true })
  const text = JSON.stringify({ ...record, ...noteProcess(process.pid) })
  const units = Math.ceil((Buffer.byteLength(text) + lastWordsBytes) / recordUnitBytes)
  writeNew(draft, padded(text, units * recordUnitBytes))
  // There is one at each moment: a process that has two is stopped twice.
  if (before !== undefined) renameSync(draft, recordPath(before, home))
  renameSync(before === undefined ? draft : recordPath(before, home), path)
}

/** Says how the calling process ends, in the record that it has written. */
export function recordEnd(id: NodeId, why: string, home: string = outpoolHome()): void {
  const path = recordPath(id, home)
  const record = readRecord(path)
  if (record === undefined) return
  const file = openSync(path, constants.O_RDWR | constants.O_NOFOLLOW)
  try {
    const ended = { atMs: Date.now(), why: why.slice(0, mostWhyCharacters) }
    writeSync(file, padded(JSON.stringify({ ...record, ended }), fstatSync(file).size), 0)
  } finally {
    closeSync(file)
  }
}

function padded(text: string, sizeBytes: number): string {
  return `${text}${' '.repeat(Math.max(0, sizeBytes - Buffer.byteLength(text) - 1))}\n`
}

export function removeRecord(id: NodeId, home: string = outpoolHome()): void {
  rmSync(recordPath(id, home), { force: true })
}

export function recordPath(id: NodeId, home: string = outpoolHome()): string {
  return join(recordsFolder(home), `${id}.json`)
}

/** The nodes that are alive. A user without a home folder has none. */
export function listRecords(home: string | undefined = findOutpoolHome()): NodeRecord[] {
  return home === undefined ? [] : allRecords(home).alive
}

/**
 * Nodes that ended by an error, or were killed, and that nobody was told of yet; the last one last (by its record: one
 * that was killed could write nothing at its end).
 */
export function endedRecords(home: string | undefined = findOutpoolHome()): NodeRecord[] {
  if (home === undefined) return []
  const told = allRecords(home).dead.map((record) => ({ record, atMs: changedAtMs(recordPath(record.id, home)) }))
  return told.sort((a, b) => a.atMs - b.atMs).map(({ record }) => record)
}

function allRecords(home: string): { readonly alive: NodeRecord[]; readonly dead: NodeRecord[] } {
  const folder = recordsFolder(home)
  const alive: NodeRecord[] = []
  const dead: NodeRecord[] = []
  for (const name of namesIn(folder)) {
    const record = name.endsWith('.json') ? readRecord(join(folder, name)) : undefined
    if (record !== undefined) (stateOfProcess(record) === 'dead' ? dead : alive).push(record)
  }
  return { alive, dead }
}

/** A new log for a node that is about to start, open for appending; the oldest logs go. */
export function newLog(home: string = outpoolHome()): { readonly path: string; readonly descriptor: number } {
  try {
    const path = newLogFile(home)
    return { path, descriptor: openNew(path, constants.O_APPEND) }
  } catch (error) {
    throw advised('the log of the node cannot be made', error, elsewhere)
  }
}

function newLogFile(home: string): string {
  const folder = recordsFolder(home)
  makeHomeFolder(folder)
  const used = new Set(listRecords(home).map((record) => record.logFile))
  const old = namesIn(folder)
    .filter((name) => name.endsWith('.log') && !used.has(join(folder, name)))
    .map((name) => ({ path: join(folder, name), atMs: changedAtMs(join(folder, name)) }))
    .sort((a, b) => b.atMs - a.atMs)
  for (const { path } of old.slice(keptLogs - 1))
    for (const part of [path, earlierLog(path)]) rmSync(part, { force: true })
  const stamp = new Date().toISOString().replace(/[:.]/g, '-')
  return join(folder, `${stamp}-${process.pid}-${randomBytes(3).toString('hex')}.log`)
}

function readRecord(path: string): NodeRecord | undefined {
  try {
    const value = JSON.parse(readFileSync(path, 'utf8')) as Partial<NodeRecord>
    const { id, url, headUrl, head, logFile, pid, pidStart, pidSpace } = value
    const texts = [url, headUrl, logFile, pidStart, pidSpace]
    if (!isProcessId(id) || typeof pid !== 'number' || !texts.every((text) => typeof text === 'string'))
      return undefined
    const { ended, ...rest } = value as NodeRecord
    const isEnded = typeof ended?.atMs === 'number' && typeof ended.why === 'string'
    return { ...rest, head: head === true, ...(isEnded && { ended }) }
  } catch {
    return undefined
  }
}

function changedAtMs(path: string): number {
  try {
    return statSync(path).mtimeMs
  } catch {
    return 0
  }
}
