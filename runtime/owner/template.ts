/**
 * What all calls of one function with one set of options share, as immutable bytes: together with the arguments they
 * are the task's spec. A template is sent once per link and named by its owner's number from then on.
 */
import { ProtocolError } from '../base/errors.ts'
import { decodeMessages, encodeMessage } from '../protocol/message-codec.ts'
import type { GrowingBytes } from '../protocol/message-codec.ts'

/** What a task is. `actor-creation` and `actor-call` have their place in the spec from the first day. */
export type TaskKind = 'task' | 'actor-creation' | 'actor-call'

/**
 * How the function meets its arguments. `call`: fn(...args). `signal`: fn({ signal }), where the one argument says whether
 * there is a signal; it is the task's own. The others take one array of items and answer for all of them: `map` calls
 * fn(item), `starmap` fn(...item) and stop at the first that throws; `each` settles every item. `generate`: fn(...args)
 * is a generator, whose items are sent one by one. `turn`: fn(...args), and whatever waits behind it starts in a later turn
 * of the worker's event loop, when the answer has left and what the function began has had its turn. `exact`,
 * `exactSignal`: as `call` and `signal`, but of what is thrown nothing is left out on its way: where it cannot travel as it
 * is, the call fails with SerializationError, as with such a result.
 */
export type CallMode = 'call' | 'map' | 'starmap' | 'each' | 'signal' | 'generate' | 'turn' | 'exact' | 'exactSignal'

/** Whether who calls must not be able to tell that the function ran elsewhere. */
export function isExact(mode: CallMode): boolean {
  return mode === 'exact' || mode === 'exactSignal'
}

export interface TemplateBody {
  readonly kind: TaskKind
  readonly mode: CallMode
  /** As errors and logs name it. */
  readonly name: string
  /** A `FunctionDefinition`, encoded. */
  readonly definition: Uint8Array
  readonly job: string
  readonly environment: string
  readonly numReturns: number
  readonly maxRetries: number
}

const kinds: readonly TaskKind[] = ['task', 'actor-creation', 'actor-call']
const modes: readonly CallMode[] = [
  'call',
  'map',
  'starmap',
  'each',
  'signal',
  'generate',
  'turn',
  'exact',
  'exactSignal',
]
const version = 1
/** Room for everything but the definition, most of the time; it grows where that is not enough. */
const headBytes = 256

export function encodeTemplate(body: TemplateBody): Uint8Array {
  const kind = kinds.indexOf(body.kind)
  const mode = modes.indexOf(body.mode)
  const into: GrowingBytes = { bytes: Buffer.allocUnsafeSlow(body.definition.length + headBytes), length: 0 }
  const { name, definition, job, environment, numReturns, maxRetries } = body
  encodeMessage([version, kind, mode, name, definition, job, environment, numReturns, maxRetries], into)
  return into.bytes.subarray(0, into.length)
}

/** Throws ProtocolError for bytes that are not a template. */
export function decodeTemplate(bytes: Uint8Array): TemplateBody {
  const whole = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  const [fields] = decodeMessages(whole, 0, whole.length, 1)
  if (fields?.[0] !== version) throw new ProtocolError('not a task template of a version known here')
  const [, kind, mode, name, definition, job, environment, numReturns, maxRetries] = fields
  const body = {
    kind: kinds[Number(kind)],
    mode: modes[Number(mode)],
    name,
    definition,
    job,
    environment,
    numReturns,
    maxRetries,
  }
  if (
    body.kind === undefined ||
    body.mode === undefined ||
    typeof name !== 'string' ||
    !(definition instanceof Uint8Array)
  ) {
    throw new ProtocolError('a task template lacks its kind, mode, name or function')
  }
  if (
    typeof job !== 'string' ||
    typeof environment !== 'string' ||
    !Number.isSafeInteger(numReturns) ||
    !Number.isSafeInteger(maxRetries)
  ) {
    throw new ProtocolError(`the task template of ${name} is malformed`)
  }
  return body as TemplateBody
}
