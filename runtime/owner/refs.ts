/** Refs between their forms: in a value (`RefDescriptor`) and in a message (`RefTuple`). */
import type { RefTuple } from '../protocol/messages.ts'
import type { RefDescriptor } from '../objects/value.ts'

export function refTupleOf(descriptor: RefDescriptor): RefTuple {
  return [descriptor.owner, descriptor.number, descriptor.address.node]
}
