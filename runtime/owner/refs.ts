/** Refs between their three forms: in a value (`RefDescriptor`), in a message (`RefTuple`), as an id. */
import type { RefTuple } from '../protocol/messages.ts'
import type { RefDescriptor } from '../objects/value.ts'

export function refTupleOf(descriptor: RefDescriptor): RefTuple {
  return [descriptor.owner, descriptor.number, descriptor.address.node]
}

export function refDescriptorOf([owner, number, node]: RefTuple): RefDescriptor {
  return { owner, number, address: { node, process: owner } }
}
