/** Messages between a worker and its node manager about the code cache of the node. */
import type { MessageType } from './message-type.ts'

type T = typeof MessageType

/** I need this entry. Answered by `codePlace`: there it is, make it there, or why not. */
export type CodeNeed = readonly [type: T['codeNeed'], requestId: number, key: string]
/** `text`: a path, or for `failed` the reason. After `make` and a `codeMade`, another one follows. */
export type CodePlace = readonly [
  type: T['codePlace'],
  requestId: number,
  state: 'ready' | 'make' | 'failed',
  text: string,
]
/** The entry is whole (`error` is ''), or could not be made. `again`: the reason is mine alone, another may try. */
export type CodeMade = readonly [type: T['codeMade'], key: string, sizeBytes: number, error: string, again: boolean]
