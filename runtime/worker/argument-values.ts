/** The values of a task's arguments, where some of them have to be brought to this node first. */
import { ObjectLostError } from '../base/errors.ts'
import { reportOf } from '../objects/pull-failures.ts'
import type { LostArgument } from '../owner/argument-waits.ts'
import type { Attachment } from '../protocol/messages.ts'

/** No copy of some arguments could be read: the task is not run, and its owner is told which. */
export class ArgumentsLost {
  readonly error: ObjectLostError

  constructor(lost: readonly LostArgument[], cause: Error) {
    this.error = new ObjectLostError(`arguments could not be brought here: ${cause.message}`, { details: { lost } })
  }
}

/** So many are fetched at a time: the node that has them is asked while others arrive. */
const atOnce = 16

/** Rejects with ArgumentsLost where copies are gone, otherwise with the error of the value. */
export async function bringArguments(
  parts: readonly (Uint8Array | Attachment)[],
  decode: (bytes: Uint8Array) => unknown,
  bring: (attachment: Attachment, index: number) => unknown,
): Promise<unknown[]> {
  const args = new Array<unknown>(parts.length)
  let next = 0
  let failed: { readonly error: unknown } | undefined
  const bringSome = async (): Promise<void> => {
    while (next < parts.length && failed === undefined) {
      const i = next++
      const part = parts[i] as Uint8Array | Attachment
      try {
        args[i] = part instanceof Uint8Array ? decode(part) : await bring(part, i)
      } catch (error) {
        failed ??= { error: part instanceof Uint8Array ? error : asLost(part, parts.slice(next), error) }
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(atOnce, parts.length) }, bringSome))
  if (failed !== undefined) throw failed.error
  return args
}

function asLost([ref, value]: Attachment, rest: readonly (Uint8Array | Attachment)[], error: unknown): unknown {
  const report = value[0] === 'stored' ? reportOf(error) : undefined
  if (report === undefined) return error
  const { absent, unreached, why = '' } = report
  const lost: LostArgument[] = [[ref, absent, unreached, why]]
  // What lies nowhere else than there is not to be had either: told at once, instead of one by one.
  const silent = new Set(unreached.map(([, process]) => process))
  for (const part of rest) {
    if (part instanceof Uint8Array || part[1][0] !== 'stored') continue
    const holders = part[1][2]
    if (holders.every(([, process]) => silent.has(process))) lost.push([part[0], [], holders, ''])
  }
  return new ArgumentsLost(lost, error as Error)
}
