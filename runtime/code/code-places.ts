/** Where the program's modules are that were loaded in this process to run tasks; those in it find the packages beside them. */
import { BoundedSet } from '../base/bounded-set.ts'

const maxPlaces = 1000
const places = new BoundedSet<string>(maxPlaces)

/** A module at this URL is about to be loaded. */
export function noteCodePlace(url: string): void {
  if (url.startsWith('file:')) places.add(url)
}

/** URLs of files, the last first. */
export function codePlaces(): readonly string[] {
  return [...places].reverse()
}
