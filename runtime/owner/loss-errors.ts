/** What is said of an object that is lost and cannot be made again: why, and what would have helped. */
import { ObjectFreedError, ObjectReconstructionFailedError } from '../base/errors.ts'
import { objectKey } from '../base/ids.ts'
import type { RefTuple } from '../protocol/messages.ts'
import type { LossReason } from './recovery-state.ts'

/** What is known of the object. */
export interface Loss {
  readonly key: string
  /** How its copies were lost, in words. */
  readonly how: string
  /** Name and retries of the task that made it, where one did. */
  readonly task?: { readonly name: string; readonly maxRetries: number } | undefined
  readonly cause?: unknown
}

/** Why not, and the next step. */
const sentences: Readonly<Record<LossReason, (loss: Loss) => readonly [why: string, remedy: string]>> = {
  put: () => [
    'no task made it, it was put or passed as a large argument',
    'use `put(value, { replicas: 2 })` for what must survive a node, or make the value in a task',
  ],
  'retries disabled': () => [
    'its task has `maxRetries: 0`, so it must not run twice',
    'set `maxRetries` for tasks that may run again',
  ],
  'attempts exceeded': ({ task }) => [
    `its task has run as often as \`maxRetries: ${task?.maxRetries ?? 0}\` allows`,
    'raise `maxRetries` (-1 is without end)',
  ],
  'lineage evicted': () => [
    'what is needed to run its task again was let go of for want of room',
    'keep fewer refs to large results at a time, or pass smaller arguments to their tasks',
  ],
  'pinned worker': () => [
    'its task ran in a worker of its own, whose state is gone',
    'use `put(value, { replicas: 2 })` for what must survive a node',
  ],
  'owner died': () => [
    'an argument of its task belonged to a process that is gone',
    'make such arguments in a process that lives longer, the driver for one',
  ],
  cancelled: () => ['its task was cancelled while it ran again', 'submit the task anew where its value is needed'],
  'generator ended': () => [
    'it is an item of a generator that failed or was cancelled, and was not run again',
    'read items before they may be lost, or make such values in tasks of their own',
  ],
  'task failed': ({ cause }) => [
    `its task failed when it ran again${cause instanceof Error ? ` (${cause.name}: ${cause.message})` : ''}`,
    'see `cause`; a task that may run again must not depend on what it changed before',
  ],
  unschedulable: ({ cause }) => [
    `its task could not be placed again${cause instanceof Error ? `: ${cause.message}` : ''}`,
    'see that the cluster has what the task asks for',
  ],
}

export function reconstructionFailed(reason: LossReason, loss: Loss): ObjectReconstructionFailedError {
  const { key, how, task, cause } = loss
  const [why, remedy] = sentences[reason](loss)
  const what = task === undefined ? `object ${key}` : `object ${key}, a result of task ${task.name},`
  const lost = how === '' ? 'is lost' : `is lost (${how})`
  const details = { key, reason, how, ...(task !== undefined && { task: task.name, maxRetries: task.maxRetries }) }
  return new ObjectReconstructionFailedError(`${what} ${lost} and cannot be made again: ${why}; ${remedy}`, {
    details,
    ...(cause !== undefined && { cause }),
  })
}

/** It was asked for after its last ref was let go of. */
export function freed([owner, number]: RefTuple): ObjectFreedError {
  const key = objectKey({ owner, number })
  return new ObjectFreedError(`object ${key} was released before it was asked for; keep its ref until then`, {
    details: { key },
  })
}
