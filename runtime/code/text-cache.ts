import { BoundedMap } from '../base/bounded-map.ts'

/**
 * What is known of texts of functions, in the order of their use. A program may make functions from generated text without
 * end: texts that were used longest ago are forgotten, with what is known of them, beyond so many texts or characters.
 */
export function textCache<V extends object>(
  maxTexts: number = 4096,
  maxCharacters: number = 16 * 1024 * 1024,
): BoundedMap<string, V> {
  return new BoundedMap(maxTexts, { readingRenews: true, maxWeight: maxCharacters, weightOf: (text) => text.length })
}
