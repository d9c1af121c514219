/** `use` of each item, at most `most` of them at a time; resolves with the results in the order of the items. */
export async function someAtOnce<T, R>(
  items: readonly T[],
  most: number,
  use: (item: T) => Promise<R>,
): Promise<readonly R[]> {
  const results: R[] = []
  let next = 0
  const lane = async (): Promise<void> => {
    while (next < items.length) {
      const at = next++
      results[at] = await use(items[at] as T)
    }
  }
  await Promise.all(Array.from({ length: Math.min(most, items.length) }, lane))
  return results
}
