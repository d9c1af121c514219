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

/**
 * The parameters of a call, or what the original would make of those that cannot travel; the same again where there is
 * nothing to be made.
 */
export function travellingParams(params: unknown, how: Flattening): unknown {
  if (!Array.isArray(params)) return travelling(params, how)
  // One clone of all keeps what they share. What has no clone, as a function has none, may be able to travel itself.
  const whole = how === 'clone' ? travelling(params, how) : params
  if (whole !== params) return whole
  const flat = params.map((item: unknown) => travelling(item, how))
  return flat.every((item, index) => Object.is(item, params[index])) ? params : flat
}
