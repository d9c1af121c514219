/** With what a function is looked into: whether that is more than another time. Pure. */
import { isShared, isWithin, merge, own, withBelow, type Resolved } from './resolve.ts'

export interface Given {
  readonly args: readonly Resolved[]
  readonly self: Resolved | undefined
}

/** Whether `args` and `self` are all among what it was looked into with. */
export function covers(before: Given, args: readonly Resolved[], self: Resolved | undefined): boolean {
  return isWithin(self, before.self) && args.every((one, index) => isWithin(one, before.args[index]))
}

/** All of both, and what can be reached from it. */
export function joined(before: Given, args: readonly Resolved[]): Resolved[] {
  return Array.from({ length: Math.max(before.args.length, args.length) }, (_, index) =>
    withBelow(merge([before.args[index] ?? own, args[index] ?? own])),
  )
}

/** Nothing among it is shared. */
export function isPlain(args: readonly Resolved[], self: Resolved | undefined): boolean {
  return [...args, self ?? own].every(
    ({ values, unknown: more, held, instances, heldInstances }) =>
      !more &&
      held === undefined &&
      instances === undefined &&
      heldInstances === undefined &&
      ![...values].some(isShared),
  )
}
