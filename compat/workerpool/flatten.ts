/**
 * Instances of users' classes between a pool and its workers: the original's threads make plain objects of them
 * (structured clone), its processes send JSON. Here they become the same where they cannot travel as they are.
 */
import { canTravel } from '../../lib/travel.ts'

/** What the original's workers of that type do with a value. */
export type Flattening = 'clone' | 'json'

/** The value, or what the original would make of it; the value again where that fails, too: then its refusal is right. */
export function travelling(value: unknown, how: Flattening): unknown {
  if (typeof value !== 'object' || value === null || canTravel(value)) return value
  try {
    return how === 'clone' ? structuredClone(value) : (JSON.parse(JSON.stringify(value)) as unknown)
  } catch {
    return value
  }
}
