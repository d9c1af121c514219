/** Where calls of functions run: those that stay, for reasons that are known without a worker. */
import { expect } from 'chai'
import { checkPlacement, Placer } from '../../../compat/shared/placer.ts'

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
