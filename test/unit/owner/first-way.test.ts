import { expect } from 'chai'
import { type Deferred, deferred } from '../../../runtime/base/deferred.ts'
import { firstWay } from '../../../runtime/owner/first-way.ts'
import { ManualClock } from '../manual-clock.ts'

describe('runtime/owner/first-way', () => {
  const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve))

  /** Both ways as the test has them end. `told` is what came of it, in order. */
  class Ways {
    readonly clock = new ManualClock()
    readonly told: string[] = []
    readonly first: Deferred<string> = deferred<string>()
    readonly second: Deferred<string> = deferred<string>()

    constructor() {
      const begin = (name: string, way: Deferred<string>) => () => {
        this.told.push(`tries ${name}`)
        return way.promise
      }
      firstWay({
        first: begin('first', this.first),
        second: begin('second', this.second),
        ...{ clock: this.clock, patienceMs: 3_000 },
        knows: ({ message }, way) => message === `dead, says ${way}`,
        failure: (first, second) => new Error(`${second.message}, ${first?.message ?? 'no word of the first'}`),
        late: (reached) => this.told.push(`late ${reached}`),
      }).then(
        (reached) => this.told.push(`reached ${reached}`),
        (error: Error) => this.told.push(`failed: ${error.message}`),
      )
    }

    async do(...steps: readonly string[]): Promise<string[]> {
      for (const step of steps) {
        const [way, what = ''] = step.split(': ')
        if (way === 'wait') this.clock.advance(3_000)
        else if (what.startsWith('!')) this[way as 'first'].reject(new Error(what.slice(1)))
        else this[way as 'first'].resolve(what)
        await turn()
      }
      await turn()
      expect(this.clock.pending).to.equal(0)
      return this.told.slice(1)
    }
  }

  const table: readonly (readonly [string, readonly string[], readonly string[]])[] = [
    ['takes the first alone where it answers in time', ['first: a'], ['reached a']],
    ['tries the second when the first fails', ['first: !no', 'second: b'], ['tries second', 'reached b']],
    ['tells of both where both fail', ['first: !no', 'second: !nor I'], ['tries second', 'failed: nor I, no']],
    [
      'tries the second beside a silent first, and takes who answers',
      ['wait', 'second: b', 'first: a'],
      ['tries second', 'reached b', 'late a'],
    ],
    [
      'takes a first that answers after all',
      ['wait', 'first: a', 'second: b'],
      ['tries second', 'reached a', 'late b'],
    ],
    [
      'waits for a silent first when the second fails',
      ['wait', 'second: !no', 'first: a'],
      ['tries second', 'reached a'],
    ],
    [
      'waits for the second when a silent first fails',
      ['wait', 'first: !no', 'second: b'],
      ['tries second', 'reached b'],
    ],
    [
      'fails when both have failed, whichever was last',
      ['wait', 'second: !no', 'first: !nor I'],
      ['tries second', 'failed: no, nor I'],
    ],
    ['ends where the first knows', ['first: !dead, says first'], ['failed: dead, says first']],
    [
      'ends where the second knows, and takes nothing of the first but what comes late',
      ['wait', 'second: !dead, says second', 'first: a'],
      ['tries second', 'failed: dead, says second, no word of the first', 'late a'],
    ],
  ]
  for (const [name, steps, told] of table)
    it(name, async () => expect(await new Ways().do(...steps)).to.deep.equal(told))
})
