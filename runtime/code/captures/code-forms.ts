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
} as const
