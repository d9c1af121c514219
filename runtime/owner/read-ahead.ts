/**
 * How many tasks are sent to a worker ahead of its answers beyond the few that fit into a pipeline, whether its answers
 * are in a hurry, and who has so many ahead that another worker takes some over. While many wait, worker and owner wake
 * up once for several tasks: at such a time all CPUs work, and each wake-up takes one from a task.
 */
import { type ClassRecord, isLong, unansweredOf } from './class-record.ts'
import type { LeaseRecord } from './lease-record.ts'
import type { SubmitOptions, TaskTemplate } from './submit-types.ts'

/** With less than this part of a worker's share of the queue ahead, it is sent more: half of a portion. */
const portionsOfShare = 4

/**
 * A task that takes longer is long, in microseconds: a message of its own costs little beside it. Of shorter ones a
 * pipeline holds so many that its worker seldom turns to its owner.
 */
export const longMicros = 200

/** What one task costs at the least, in microseconds: reading, claiming, answering. */
const overheadMicros = 5

/** Answers wait for each other where so many can come in that time. */
const togetherAtLeast = 2

/**
 * So many times somebody who follows the queue is told of it until its end, if that is so long off: each look takes some
 * 0.2 ms from the worker whose CPU it takes.
 */
const looksAtLeast = 4

/** With so many tasks at a worker its first answers may wait for each other, too. */
export const restsFromTasks = 8

/** What a worker is expected to need for one task of a function; one that was never measured fills a pipeline. */
export function expectedMicrosOf({ runMicros }: TaskTemplate, { pipelineMicros }: SubmitOptions): number {
  return (runMicros < 0 ? pipelineMicros : runMicros) + overheadMicros
}

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
 * halves: factoring, Hummel, Schonberg and Flynn, 1992). Where tasks take the same time nothing is left to even out:
 * then it is a share of what waits at workers, too, and the last portions are as large as the first.
 */
export function readsAhead(
  record: ClassRecord,
  lease: LeaseRecord,
  { runMicros, deviationMicros }: TaskTemplate,
  options: SubmitOptions,
): boolean {
  const { queued, leases } = record
  if (runMicros > options.readAheadMicros) return false
  if (lease.count === 1) return queued > leases.length
  if (lease.count >= options.longQueueTasks || record.located.size > 0) return false
  if (lease.expectedMicros + runMicros > options.longQueueMicros) return false
  const evenness = runMicros / (runMicros + deviationMicros)
  const aheadMicros = runMicros < longMicros ? 0 : leases.reduce((sum, { expectedMicros }) => sum + expectedMicros, 0)
  const sharedMicros = evenness * queued * runMicros + Math.max(0, 2 * evenness - 1) * aheadMicros
  // As near to its share as it gets.
  return lease.expectedMicros + runMicros / 2 <= sharedMicros / leases.length
}

/**
 * For so long the answers of a worker may wait for others, in microseconds: many tasks wait, and it has work until then.
 * Of long tasks one answer of each worker is waited for. 0 where they are told one by one.
 */
export function answersRestMicros(record: ClassRecord, lease: LeaseRecord, options: SubmitOptions): number {
  const { leases } = record
  const { expectedMicros, headMicros, count, aborts } = lease
  if (expectedMicros < options.answerLookMicros || aborts.size > 0) return 0
  const unanswered = unansweredOf(record)
  if (unanswered <= 2 * leases.length) return 0
  const leftMicros = (unanswered * expectedMicros) / (count * leases.length)
  const lookMicros = Math.min(
    Math.max(options.answerLookMicros, leftMicros / looksAtLeast),
    options.mostAnswerLookMicros,
  )
  if (headMicros * togetherAtLeast > lookMicros * leases.length) return 0
  return Math.min(Math.max(lookMicros, Math.min(headMicros, options.mostAnswerLookMicros)), expectedMicros / 2)
}

/** The leases that have enough work ahead for two workers, the one with the most first. */
export function mostAhead({ leases }: ClassRecord, nowMs: number, options: SubmitOptions): LeaseRecord[] {
  const aheadMicros = ({ expectedMicros, headMicros, headSinceMs }: LeaseRecord): number =>
    expectedMicros - Math.min(headMicros, (nowMs - headSinceMs) * 1000)
  return leases
    .filter(({ count, state, recalling }) => count > 1 && state === 'open' && recalling.size === 0)
    .map((lease) => ({ lease, micros: aheadMicros(lease) }))
    .filter(({ micros }) => micros > options.takeOverMicros)
    .sort((a, b) => b.micros - a.micros)
    .map(({ lease }) => lease)
}
