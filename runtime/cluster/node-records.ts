/**
 * The nodes that this user started on this machine, each in a file of Outpool's folder: `nodes/<id>.json`, beside its
 * log. This is how `outpool stop` finds them, and `outpool status` the local head. A record of a process that is gone
 * is removed by whoever reads it; its log stays for a while, since it may say why.
 */
import { randomBytes } from 'node:crypto'
import { readFileSync, renameSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { isProcessId } from '../base/ids.ts'
import type { NodeId } from '../base/ids.ts'
import { namesIn } from '../base/names-in.ts'
import { writeNew } from '../base/new-file.ts'
import { earlierLog } from '../node/rotate-file.ts'
import type { DaemonOptions } from './daemon-options.ts'
import { noteProcess, stateOfProcess } from '../base/process-identity.ts'
import type { ProcessNote } from '../base/process-identity.ts'
import { makeHomeFolder, outpoolHome } from './token.ts'

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
}

/** Logs of dead nodes that are kept. */
const keptLogs = 20

export function recordsFolder(home: string = outpoolHome()): string {
  return join(home, 'nodes')
}

/** Records the calling process as this node. */
export function writeRecord(record: Omit<NodeRecord, keyof ProcessNote>, home: string = outpoolHome()): void {
  const folder = recordsFolder(home)
  makeHomeFolder(folder)
  const path = join(folder, `${record.id}.json`)
  // Renamed into place: a reader sees all of it or nothing.
  const draft = `${path}.${process.pid}`
  rmSync(draft, { force: true })
  writeNew(draft, `${JSON.stringify({ ...record, ...noteProcess(process.pid) })}\n`)
  renameSync(draft, path)
}

export function removeRecord(id: NodeId, home: string = outpoolHome()): void {
  rmSync(join(recordsFolder(home), `${id}.json`), { force: true })
}

/** The nodes that are alive. */
export function listRecords(home: string = outpoolHome()): NodeRecord[] {
  const folder = recordsFolder(home)
  const alive: NodeRecord[] = []
  for (const name of namesIn(folder)) {
    if (!name.endsWith('.json')) continue
    const record = readRecord(join(folder, name))
    if (record && stateOfProcess(record) !== 'dead') alive.push(record)
    else if (record) removeRecord(record.id, home)
  }
  return alive
}

/** The path of a new log for a node that is about to start; the oldest logs go. */
export function newLogFile(home: string = outpoolHome()): string {
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
    return { ...(value as NodeRecord), head: head === true }
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
