/** What of a program's values and errors comes through to another process. */
import { encodeValue } from '../runtime/objects/value.ts'
import { currentRuntime } from '../runtime/owner/current.ts'

/** Stacks of errors that came as values name the lines of this process's functions. */
export { nameOriginalPlaces } from '../runtime/code/original-places.ts'
/** What was thrown as it would arrive elsewhere: without what in it cannot travel. */
export { portable } from '../runtime/worker/thrown.ts'

/** Whether a value could be an argument or a result. It is encoded for that: of use before a call, or instead of one. */
export function canTravel(value: unknown): boolean {
  try {
    encodeValue(value, 'value', currentRuntime()?.host.refCodec)
    return true
  } catch {
    return false
  }
}
