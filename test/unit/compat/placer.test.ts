/** Where calls of functions run: those that stay, for reasons that are known without a worker. */
import { expect } from 'chai'
import { checkPlacement, Placer } from '../../../compat/shared/placer.ts'
import { Stretch } from '../../../compat/shared/stretch.ts'

/** New functions that come, at most, before one is looked at. */
const mostBetween = 47

describe('the placer', () => {
  const given = {}

  it('is sure of functions that stayed three times, and hands them over as they are', () => {
    const placer = new Placer('auto')
    const seen: number[] = []
    const note = (n: number): number => seen.push(n)
    for (let i = 0; i < 3; i++) {
      expect(placer.stays(note)).to.equal(false)
      expect(placer.again(note)).to.equal(undefined)
      const placed = placer.placed(note)
      expect(placer.again(note)).to.equal(placed)
      placed(i)
      // What was given for it does not hold any more when it is sure to stay.
      expect(placer.again(note)).to.equal(i < 2 ? placed : undefined)
      placer.stays(() => undefined)
    }
    expect(placer.stays(note)).to.equal(true)
    placer.placed(note)(3)
    expect(placer.again(note)).to.equal(undefined)
    expect(seen).to.deep.equal([0, 1, 2, 3])
    const [known] = placer.report().functions
    expect(known).to.include({ name: 'note', caller: 5, worker: 0 })
    expect(known?.reasons.join()).to.include('seen')
  })

  it('hands over the same for a function as long as no other comes', () => {
    const placer = new Placer('auto')
    const seen: string[] = []
    const note = (what: string): number => seen.push(what)
    const other = (what: string): number => seen.push(`other ${what}`)
    const [placed, task] = [placer.placed(note), placer.placedTask(() => seen.push('task'))]
    expect(placer.placed(note)).to.not.equal(placed)
    expect(placer.placed(note)).to.equal(placer.placed(note))
    expect(placer.again(other)).to.equal(undefined)
    placer.placed(other)('1')
    placer.placed(note)('2')
    placed('3')
    task({})
    expect(seen).to.deep.equal(['other 1', '2', '3', 'task'])
    expect(placer.report().functions.map(({ caller }) => caller)).to.deep.equal([2, 1, 1])
  })

  it('looks at few of a thousand new functions that stayed, counts all of them, and finds another text among them', () => {
    const placer = new Placer('auto')
    const seen: string[] = []
    const call = (fn: (what: string) => unknown, what: string): unknown =>
      (placer.atOnce(fn) ?? (placer.stays(fn) ? fn : placer.placed(fn)))(what)
    const callers = (): number[] => placer.report().functions.map(({ caller }) => caller)
    for (let i = 0; i < 1100; i++) call((what) => seen.push(what), 'one')
    expect([...callers(), seen.length]).to.deep.equal([1100, 1100])
    for (let i = 0; i < 100; i++) call((what) => seen.push(`other ${what}`), 'one')
    const [one = 0, other = 0] = callers()
    expect([one + other, seen.length]).to.deep.equal([1200, 1200])
    expect(other).to.be.within(100 - mostBetween, 99)
    // From there on each is looked at again, and longer than before.
    for (let i = 0; i < 1100; i++) call((what) => seen.push(what), 'one')
    for (let i = 0; i < 50; i++) call((what) => seen.push(`other ${what}`), 'one')
    expect(callers()).to.deep.equal([one + 1100, other + 50])
  })

  it('looks at a function that is called often, whether its first call was looked at or not', () => {
    const placer = new Placer('auto')
    const seen: number[] = []
    for (let i = 0; i < 1100; i++) placer.placed((n: number) => seen.push(n))(i)
    for (let i = 0; i < 100; i++) {
      const placed = placer.placed((n: number) => seen.push(-n))
      for (let k = 0; k < 3; k++) placed(k)
    }
    expect(seen).to.have.length(1400)
    // Only of the first function the first call was taken for one of the others.
    expect(placer.report().functions.map(({ caller }) => caller)).to.deep.equal([1101, 299])
    placer.placed(() => seen.push(0))
    expect(placer.report().caller).to.equal(1400)
  })

  it('counts by text, and keeps the counts of texts that it has forgotten', () => {
    const placer = new Placer('auto')
    for (let i = 0; i < 1200; i++) {
      // oxlint-disable-next-line typescript/no-implied-eval -- functions of many texts
      const task = new Function(`process.exitCode ??= undefined; return ${i}`) as () => number
      expect(placer.task(task, given, 'caller')).to.equal(i)
    }
    const report = placer.report()
    expect(report.caller).to.equal(1200)
    expect(report.functions).to.have.length(1000)
  })

  it('throws what the function throws where it runs in the caller, and counts the call', () => {
    const placer = new Placer('caller')
    const fail = (): never => {
      throw new RangeError('no')
    }
    expect(() => placer.task(fail, given, 'caller')).to.throw(RangeError, 'no')
    expect(placer.report()).to.include({ placement: 'caller', caller: 1, worker: 0 })
  })

  it('refuses a placement that there is not, by the caller', () => {
    expect(checkPlacement(undefined, 'auto', 'x')).to.equal('auto')
    expect(() => checkPlacement('there', 'auto', 'queue.add')).to.throw(TypeError, /queue\.add.*"there"/)
  })
})

describe('a stretch of new functions', () => {
  const stayed = (stretch: Stretch, times: number): number[] => Array.from({ length: times }, () => stretch.stayed())

  it('leaves out functions after a thousand, so many as no period foretells', () => {
    const stretch = new Stretch()
    expect(stayed(stretch, 1000).every((left) => left === 0)).to.equal(true)
    const lefts = stayed(stretch, 1000)
    expect([Math.min(...lefts), Math.max(...lefts)]).to.deep.equal([16, mostBetween])
    expect(new Set(lefts).size).to.equal(32)
  })

  it('takes twice as many after each that ended, and no more after what was none', () => {
    const stretch = new Stretch()
    for (const sureAfter of [1000, 2000, 4000]) {
      for (const before of [10, sureAfter]) {
        expect(stayed(stretch, before).every((left) => left === 0)).to.equal(true)
        if (before === 10) stretch.ended()
      }
      expect(stretch.stayed()).to.be.above(0)
      stretch.ended()
    }
  })
})
