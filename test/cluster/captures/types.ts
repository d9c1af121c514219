/** What the tables of functions that capture consist of. */

/** Called here and in a worker, and both must be the same, prototypes included; after `change` the same again. */
export interface Case {
  readonly fn: (...args: never[]) => unknown
  readonly args?: readonly unknown[]
  /** Done between the two calls; the result must then be another one. */
  readonly change: () => unknown
}

/** Refused before anything runs. */
export interface Refusal {
  readonly fn: (...args: never[]) => unknown
  readonly args?: readonly unknown[]
  /** What the refusal says; the same in a program that is minified. */
  readonly reason: RegExp
  /** After it the function can travel, and does. Where nothing could help, it is refused again. */
  readonly change?: () => unknown
}

export type Table<T> = Readonly<Record<string, Readonly<Record<string, () => T>>>>
