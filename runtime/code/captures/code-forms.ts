/** What begins the encoding of each that `send-code.ts` writes and `receive-code.ts` reads. */
export const form = {
  intrinsic: 0,
  module: 1,
  function: 2,
  class: 3,
  object: 4,
  namespace: 5,
  wrapper: 6,
  extended: 7,
  made: 8,
  member: 9,
} as const

/** What is sent of a property beside its value: how it differs from one that an assignment makes, and of what kind it is. */
export const mark = {
  enumerable: 1,
  readOnly: 2,
  fixed: 4,
  /** Two halves, each as `half` says. */
  accessor: 8,
  /** The method that the text of the class makes there, with its own properties. */
  written: 16,
  /** The text makes one that is not there any more. */
  deleted: 32,
} as const

/** What is sent of half an accessor. */
export const half = { none: 0, written: 1, given: 2 } as const

/** From what something inherits: as its text says; the prototype of a class or function; another object, or nothing. */
export const inherits = { asWritten: 0, fromClass: 1, fromObject: 2 } as const

/** Which member of a class a function is. */
export const parts = ['value', 'get', 'set'] as const
