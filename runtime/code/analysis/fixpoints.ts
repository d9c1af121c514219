/** What may ask for itself while it is looked for. Pure. */
import { isWithin, merge, own, withBelow, type Resolved } from './resolve.ts'

/** How often what asks for itself is looked for with what was found of it, before all that is below counts. */
const maxRounds = 4

/**
 * Finds each of some things once, by its number, where finding one may ask for others, and in the end for itself: then it
 * is looked for again with what was found, until there is no more.
 */
export function fixpoints(): (key: number, find: () => Resolved) => Resolved {
  const known = new Map<number, Resolved>()
  const assumed = new Map<number, Resolved>()
  const under = new Set<number>()
  /** What was asked for that is being looked for. */
  let open = new Set<number>()
  /** What was found with what is assumed of others, and of which. */
  const provisional = new Map<number, { readonly found: Resolved; readonly with: ReadonlySet<number> }>()
  const forgetWith = (key: number): void => {
    for (const [one, { with: others }] of provisional) if (others.has(key)) provisional.delete(one)
  }
  const settle = (key: number, find: () => Resolved): Resolved => {
    for (let round = 1; ; round++) {
      open = new Set()
      const found = find()
      const before = assumed.get(key) ?? own
      if (!open.delete(key) || isWithin(found, before)) return found
      const all = merge([found, before])
      if (round === maxRounds) return withBelow(all)
      assumed.set(key, all)
      forgetWith(key)
    }
  }
  return (key, find) => {
    const found = known.get(key)
    if (found !== undefined) return found
    if (under.has(key)) {
      open.add(key)
      return assumed.get(key) ?? own
    }
    const before = provisional.get(key)
    if (before !== undefined) {
      for (const one of before.with) open.add(one)
      return before.found
    }
    const outer = open
    under.add(key)
    try {
      const settled = settle(key, find)
      forgetWith(key)
      if (open.size === 0) known.set(key, settled)
      else provisional.set(key, { found: settled, with: open })
      return settled
    } finally {
      under.delete(key)
      assumed.delete(key)
      for (const one of open) outer.add(one)
      open = outer
    }
  }
}
