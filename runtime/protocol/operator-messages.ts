/** Messages for people and monitors, and for tests that let things go wrong. */
import type { MessageType } from './message-type.ts'

type T = typeof MessageType

/** To a node manager (and from it to its workers, with id 0): let something go wrong. See runtime/node/chaos.ts. */
export type Chaos = readonly [type: T['chaos'], requestId: number, order: Readonly<Record<string, unknown>>]
/** `error` is '' when it was done; `text` says what. */
export type ChaosDone = readonly [type: T['chaosDone'], requestId: number, error: string, text: string]
// Node manager -> worker, and back: for people and monitors.
/** How much do you hold? */
export type CountRequest = readonly [type: T['countRequest'], requestId: number]
/** Entries of each table; 0 where nothing is under way and nothing is held. */
export type Counts = readonly [type: T['counts'], requestId: number, counts: Readonly<Record<string, number>>]
/** Owner -> node manager: which line of the program made an object that lies there. */
export type MadeAt = readonly [type: T['madeAt'], key: string, site: string]
