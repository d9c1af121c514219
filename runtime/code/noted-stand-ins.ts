/**
 * What shims tell when they are loaded of the modules that they make. It is looked at when a function captures something,
 * which in many programs that load a shim none does (`captures/stand-ins.ts`).
 */
export type Exports = Readonly<Record<string, unknown>>

interface Note {
  readonly maker: string
  readonly original: string
  readonly exports: Exports
  readonly own: readonly string[]
}

const notes: Note[] = []

/**
 * `exports` were made by the module `maker` over those of the file URL `original`.
 * @param own names of those that are not the original's.
 */
export function noteStandIn(maker: string, original: string, exports: Exports, own: readonly string[]): void {
  notes.push({ maker, original, exports, own })
}

/** Each once. */
export function takeNotes(): readonly Note[] {
  return notes.splice(0)
}
