/** Bounds what processes with OUTPOOL_EVENTS leave on the disk: the oldest jobs go when there are too many. */
import { openSync, closeSync, readSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { namesIn } from '../base/names-in.ts'
import type { EventsHeader } from './task-events.ts'

export interface EventLimits {
  readonly jobs: number
  readonly bytes: number
}

export const defaultEventLimits: EventLimits = { jobs: 100, bytes: 2 * 1024 ** 3 }

interface Job {
  readonly folder: string
  readonly name: string
  readonly atMs: number
  readonly bytes: number
}

/** Removes the oldest jobs beyond the limits, but none whose program still runs here. Never throws. */
export function removeOldEvents(folder: string, limits: EventLimits = defaultEventLimits): void {
  const jobs = namesIn(folder)
    .map((name) => measure(join(folder, name), name))
    .sort((a, b) => b.atMs - a.atMs)
  let bytes = 0
  for (const [index, job] of jobs.entries()) {
    bytes += job.bytes
    if ((index < limits.jobs && bytes <= limits.bytes) || isRunning(job)) continue
    try {
      rmSync(job.folder, { recursive: true, force: true })
      bytes -= job.bytes
    } catch {
      // Another program removes it at the same time, or it is not ours to remove.
    }
  }
}

function measure(folder: string, name: string): Job {
  let atMs = 0
  let bytes = 0
  for (const file of namesIn(folder)) {
    const facts = statSync(join(folder, file), { throwIfNoEntry: false })
    atMs = Math.max(atMs, facts?.mtimeMs ?? 0)
    bytes += facts?.size ?? 0
  }
  return { folder, name, atMs, bytes }
}

/** A job has the name of its driver. A process id that is used again only keeps it for longer. */
function isRunning({ folder, name }: Job): boolean {
  try {
    process.kill(headerOf(join(folder, `${name}.jsonl`)).pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

function headerOf(path: string): EventsHeader {
  const file = openSync(path, 'r')
  try {
    const bytes = Buffer.alloc(1_024)
    const text = bytes.toString('utf8', 0, readSync(file, bytes, 0, bytes.length, 0))
    return JSON.parse(text.split('\n')[0] ?? '') as EventsHeader
  } finally {
    closeSync(file)
  }
}
