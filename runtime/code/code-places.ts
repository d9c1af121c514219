/** Where the program's modules are that were loaded in this process to run tasks; those in it find the packages beside them. */

const places = new Set<string>()
const maxPlaces = 1000

/** A module at this URL is about to be loaded. */
export function noteCodePlace(url: string): void {
  if (!url.startsWith('file:')) return
  if (places.size >= maxPlaces) places.clear()
  places.delete(url)
  places.add(url)
}

/** URLs of files, the last first. */
export function codePlaces(): readonly string[] {
  return [...places].reverse()
}
