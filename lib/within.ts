/** Answers of many numbers, read where they lie in the store: neither mapped nor copied. */
import type { LentWords } from '../runtime/objects/value.ts'
import type { Borrow } from '../runtime/owner/object-access.ts'

/**
 * Gets an answer that is an object with nothing but many `numbers`. They are valid within this call alone; the promise of
 * the call then resolves with what this returns. It may be passed over: then the promise has the answer.
 */
export type Within = (answer: { readonly numbers: LentWords }) => unknown

export function borrowedBy(within: Within): Borrow {
  return (value, release) => {
    try {
      return 'numbers' in value ? within(value) : value.slice()
    } finally {
      release()
    }
  }
}
