import { didYouMean } from '../../lib/suggest.ts'

/** Refuses an option that does not exist, and names the nearest one that does. */
export function refuseUnknownOptions(options: object, known: readonly string[], owner: string): void {
  for (const name of Object.keys(options)) {
    if (known.includes(name)) continue
    throw new TypeError(`${owner} has no option '${name}'${didYouMean(name, known)}. It has: ${known.join(', ')}`)
  }
}
