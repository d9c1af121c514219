/**
 * What becomes of single messages, as `runtime/transport/chaos-link.ts` has it: late, torn off with all behind it, and,
 * where the protocol says that it bears it, lost alone, come twice, overtaken. Drawn from a stream of its own.
 */
import { type Random, seededRandom } from '../../runtime/base/random.ts'
import { MessageType } from '../../runtime/protocol/message-type.ts'
import { toleranceOf } from '../../runtime/protocol/tolerance.ts'

export type Fate = 'lost' | 'twice' | 'overtaken' | 'late' | 'torn' | undefined

/** Messages that the simulation calls by another name. */
const names: Readonly<Record<string, keyof typeof MessageType>> = {
  reclaim: 'leaseReclaim',
  blocked: 'workerBlocked',
  resumed: 'workerResumed',
  'copied elsewhere': 'objectCopied',
  'recall answered': 'recalled',
  'workerEnd answered': 'workerEnded',
}

/** Reports of copies that could not be read: as late as these are, there may be others in their place. */
const reports: ReadonlySet<string> = new Set(['objectLost', 'unread'])

export class Trouble {
  readonly #random: Random
  /** Of each message, by fate; 0 in histories without. */
  readonly #chance: number
  readonly #lateReports: number

  /** `lateReports`: how likely a report is late beside all that. */
  constructor(seed: number, lateReports: number) {
    this.#lateReports = lateReports
    this.#random = seededRandom(seed ^ 0x5eed)
    this.#chance = this.#random.next() < 0.5 ? this.#random.next() * 0.1 : 0
  }

  /** `tearable`: the link may break. */
  fateOf(what: string, tearable: boolean): Fate {
    if (reports.has(what) && this.#lateReports > 0 && this.#random.next() < this.#lateReports) return 'late'
    if (this.#chance === 0) return undefined
    const type = MessageType[(names[what] ?? what) as keyof typeof MessageType] as number | undefined
    const { lost, twice, late } = type === undefined ? {} : toleranceOf(type)
    if (lost && this.#strikes()) return 'lost'
    if (twice && this.#strikes()) return 'twice'
    if (late && this.#strikes()) return 'overtaken'
    if (this.#strikes()) return 'late'
    return tearable && this.#random.next() < this.#chance / 200 ? 'torn' : undefined
  }

  lateMs(what: string): number {
    return this.#random.next() * (reports.has(what) ? 200 : 50)
  }

  #strikes(): boolean {
    return this.#random.next() < this.#chance
  }
}
