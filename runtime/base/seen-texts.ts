/**
 * Texts that come again and again in what a process decodes: names of things, keys, ids of processes. Kept by a hash of
 * their bytes, in a table of bounded size: one that was seen lately costs no allocation. Made anew, an id of 16
 * characters costs a string for each of them, which fills the young generation of a process that decodes many.
 */
const mostTexts = 2048
/** A process that meets few needs no more. */
const firstTexts = 64

/** The longest that is worth a look; callers keep longer ones out. */
export const seenTextBytes = 24

export class SeenTexts {
  #texts: string[] = new Array<string>(firstTexts).fill('')
  #made = 0

  /** The text of the one-byte characters `bytes[at..at + length)`, whose hash is `hash` (see `nextHash`). */
  of(bytes: Buffer, at: number, length: number, hash: number): string {
    const texts = this.#texts
    const slot = (hash ^ (hash >>> 10)) & (texts.length - 1)
    const known = texts[slot] as string
    if (known.length === length && isText(known, bytes, at)) return known
    const text = bytes.toString('latin1', at, at + length)
    texts[slot] = text
    if (++this.#made > texts.length && texts.length < mostTexts) this.#grow()
    return text
  }

  /** Anew: those that are met again are soon there. */
  #grow(): void {
    this.#texts = new Array<string>(mostTexts).fill('')
  }
}

/** One for all that a process decodes. */
export const seenTexts: SeenTexts = new SeenTexts()

/** The hash of a text with one more byte; that of none is its length. */
export function nextHash(hash: number, byte: number): number {
  return (Math.imul(hash, 31) + byte) | 0
}

function isText(text: string, bytes: Buffer, at: number): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) !== bytes[at + i]) return false
  return true
}
