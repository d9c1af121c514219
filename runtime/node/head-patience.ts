/** How long a node waits for what it asks the head for its processes, and what it says when that is over. */
import type { Clock } from '../base/clock.ts'

export interface HeadPatience {
  readonly clock: Clock
  /** Counted from the request, and anew from each head that it is asked of. */
  readonly timeoutMs: number
  /** For messages. */
  readonly headName: string
}

/** Why the head has not answered, for people. */
export function headSilence(
  { headName, timeoutMs }: Pick<HeadPatience, 'headName' | 'timeoutMs'>,
  linked: boolean,
): string {
  const silence = linked ? `did not answer within ${timeoutMs} ms` : `was away for ${timeoutMs} ms`
  return `the head ${headName} ${silence}; is it running?`
}
