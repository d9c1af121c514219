/** Inputs that a pool reads as it goes, and may have to leave before their end. */

/** What a pool can ask of an input that is still being read. */
export interface OpenInput {
  /** Read on, where there is more room. */
  pull(): void
  /** Leave it, and tell who waits for more of it: the pool was terminated. */
  terminated(error: Error): void
}

/**
 * The items of an asynchronous input, at its end. When `signal` is raised the input is closed, and this rejects behind
 * the item that the input is at: it may stay there for long.
 */
export async function collect<T>(input: AsyncIterable<T>, signal: AbortSignal): Promise<T[]> {
  const source = input[Symbol.asyncIterator]()
  const close = (): void => void closeSource(source)
  signal.addEventListener('abort', close)
  try {
    const items: T[] = []
    for (let step = await source.next(); step.done !== true; step = await source.next()) {
      signal.throwIfAborted()
      items.push(step.value)
    }
    return items
  } finally {
    signal.removeEventListener('abort', close)
  }
}

/** Nothing more is read of the source. As where a loop ends by an error, what the source throws now is not told. */
export async function closeSource(source: Iterator<unknown> | AsyncIterator<unknown>): Promise<void> {
  try {
    await source.return?.()
  } catch {
    // The reason for which it was left is told.
  }
}
