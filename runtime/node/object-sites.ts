/** Which lines of programs made the objects that lie here, where their owners say so (see owner/sited-objects.ts). */
import { BoundedMap } from '../base/bounded-map.ts'
import type { StoreUsage } from '../objects/store-usage.ts'

/** So many are remembered. */
const mostSites = 100_000

export class ObjectSites {
  readonly #sites = new BoundedMap<string, string>(mostSites)

  get size(): number {
    return this.#sites.size
  }

  add(key: string, site: string): void {
    this.#sites.set(key, site)
  }

  freed(keys: readonly string[]): void {
    for (const key of keys) this.#sites.delete(key)
  }

  /** What lies in the store, with the lines that are known. */
  marked(usage: StoreUsage): StoreUsage {
    if (this.#sites.size === 0) return usage
    return { ...usage, list: usage.list.map((object) => ({ ...object, site: this.#sites.get(object.key) ?? null })) }
  }
}
