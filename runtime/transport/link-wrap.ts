/**
 * The one place through which every link to another process passes when it is made. Nothing stands there, and a link
 * costs nothing, unless this process was started so that faults may be injected (chaos.ts).
 */
import type { Link } from './link.ts'

/** Set to 1 for a process whose links may be given faults; its workers inherit it. */
export const chaosVariable = 'OUTPOOL_CHAOS'

let wrap: ((link: Link) => Link) | undefined

/** The link as its user gets it. */
export function madeLink(link: Link): Link {
  return wrap === undefined ? link : wrap(link)
}

/** From now on every link that is made goes through `wrapper`. */
export function wrapLinks(wrapper: (link: Link) => Link): void {
  wrap = wrapper
}
