/**
 * How many leases each class has had here of late: the average over the last second or so, in which what lies further
 * back counts less and less (an exponentially weighted moving average). By it the node tells a class that has little to
 * do from one that comes again and again.
 */

/** What lies so far back counts a third (1/e), in milliseconds. */
const memoryMs = 1_000
/** A class that had less than this is as good as new. */
const negligible = 0.001

interface Use {
  average: number
  untilMs: number
}

export class LeaseUse {
  readonly #byClass = new Map<string, Use>()

  /** A class has had so many leases until now, since this was last told of it. */
  held(classKey: string, leases: number, nowMs: number): void {
    const use = this.#byClass.get(classKey)
    if (use === undefined) {
      this.#forgetOld(nowMs)
      this.#byClass.set(classKey, { average: 0, untilMs: nowMs })
    } else {
      use.average = averageAt(use, leases, nowMs)
      use.untilMs = nowMs
    }
  }

  /** Its leases on average, when it has so many since this was last told of it. */
  average(classKey: string, leases: number, nowMs: number): number {
    const use = this.#byClass.get(classKey)
    return use === undefined ? 0 : averageAt(use, leases, nowMs)
  }

  get size(): number {
    return this.#byClass.size
  }

  #forgetOld(nowMs: number): void {
    for (const [classKey, use] of this.#byClass)
      if (averageAt(use, 0, nowMs) < negligible) this.#byClass.delete(classKey)
  }
}

function averageAt({ average, untilMs }: Use, leases: number, nowMs: number): number {
  return leases + (average - leases) * Math.exp((untilMs - nowMs) / memoryMs)
}
