/**
 * How many tasks are sent to a worker ahead of its answers beyond the few that fit into a pipeline, whether its answers
 * are in a hurry, and who has so many ahead that another worker takes some over. While many wait, worker and owner wake
 * up once for several tasks: at such a time all CPUs work, and each wake-up takes one from a task.
 */
import { type ClassRecord, isLong } from './class-record.ts'
import type { LeaseRecord } from './lease-record.ts'
import type { SubmitOptions, TaskTemplate } from './submit-types.ts'

/** With less than this part of a worker's share of the queue ahead, it is sent more: half of a portion. */
const portionsOfShare = 4

/** Answers wait for each other where so many can come in that time. */
const togetherAtLeast = 2

/** Whether a worker that has answered has so little left that it gets more: not one for one, many tasks share a frame. */
export function hasLittle(
  record: ClassRecord,
  { count, expectedMicros }: LeaseRecord,
  options: SubmitOptions,
): boolean {
  if (count <= 1 || expectedMicros * 2 <= options.pipelineMicros) return true
  if (count * 2 > options.longQueueTasks || count * portionsOfShare * record.leases.length > record.queued) return false
  return expectedMicros <= options.longQueueLeastMicros && isLong(record)
}

/**
 * Whether a task of that run time may wait behind others, the first of which was measured: one may while more are queued
 * than workers could take next, several up to what would be a worker's share of the queue where they all take the same
 * time, and up to half of it where they differ by as much as they take. So the portions are large while the queue is long,
 * and small at its end, where they even out what the tasks took (guided self-scheduling: Polychronopoulos and Kuck, 1987;
 * halves: factoring, Hummel, Schonberg and Flynn, 1992).
 */
export function readsAhead(
  record: ClassRecord,
  lease: LeaseRecord,
  { runMicros, deviationMicros }: TaskTemplate,
  options: SubmitOptions,
): boolean {
  if (runMicros > options.readAheadMicros || record.queued <= record.leases.length) return false
  if (lease.count === 1) return true
  if (lease.count >= options.longQueueTasks || record.located.size > 0) return false
  const shareMicros = (record.queued * runMicros) / record.leases.length
  const portionMicros = (shareMicros * runMicros) / (runMicros + deviationMicros)
  return lease.expectedMicros + runMicros <= Math.min(portionMicros, options.longQueueMicros)
}

/**
 * For so long the answers of a worker may wait for others, in microseconds: many tasks wait, and it has work until then.
 * 0 where they are told one by one.
 */
export function restMicros(record: ClassRecord, lease: LeaseRecord, options: SubmitOptions): number {
  const { queued, leases } = record
  const { expectedMicros, headMicros, aborts } = lease
  if (queued <= leases.length || expectedMicros < options.answerLookMicros || aborts.size > 0) return 0
  if (headMicros * togetherAtLeast > options.answerLookMicros * leases.length) return 0
  return Math.min(options.answerLookMicros, expectedMicros / 2)
}

/** The lease with the most work ahead, of those that have enough of it for two workers. */
export function mostAhead({ leases }: ClassRecord, nowMs: number, options: SubmitOptions): LeaseRecord | undefined {
  let most: LeaseRecord | undefined
  let mostMicros = options.takeOverMicros
  for (const lease of leases) {
    if (lease.count < 2 || lease.state !== 'open' || lease.recalling.size > 0) continue
    const ahead = lease.expectedMicros - Math.min(lease.headMicros, (nowMs - lease.headSinceMs) * 1000)
    if (ahead > mostMicros) [most, mostMicros] = [lease, ahead]
  }
  return most
}
