import { expect } from 'chai'
import fc from 'fast-check'
import {
  fits,
  formatResources,
  parseMemory,
  parseResources,
  resourceKey,
  unitsOf,
} from '../../../runtime/scheduler/resources.ts'

describe('runtime/scheduler/resources', () => {
  it('compiles options into sorted integers of 1/10,000', () => {
    expect(
      parseResources({ numCpus: 0.5, numGpus: 2, memory: '2GiB', resources: { unicorn: 1, Apple: 0.0001 } }),
    ).to.deep.equal([
      ['Apple', 1],
      ['CPU', 5000],
      ['GPU', 20_000],
      ['memory', 2048 * 10_000],
      ['unicorn', 10_000],
    ])
  })

  it('leaves out what is zero or not given', () => {
    expect(parseResources({ numCpus: 0, resources: { a: 0 } })).to.deep.equal([])
    expect(parseResources({})).to.deep.equal([])
  })

  it('reads sizes as bytes or with binary and decimal suffixes', () => {
    expect(parseMemory(1000)).to.equal(1000)
    expect(parseMemory('1.5 GB')).to.equal(1.5e9)
    expect(parseMemory('512MiB')).to.equal(512 * 1024 * 1024)
    expect(parseMemory('7')).to.equal(7)
  })

  it('names the option that is refused', () => {
    expect(() => parseResources({ numCpus: -1 })).to.throw(RangeError, 'numCpus: -1')
    expect(() => parseResources({ numCpus: Number.NaN })).to.throw(TypeError, 'numCpus')
    expect(() => parseResources({ resources: { x: 0.00001 } })).to.throw(
      RangeError,
      'resources.x: 0.00001 is below 0.0001',
    )
    expect(() => parseResources({ resources: 5 as never })).to.throw(TypeError, 'an object of amounts by name')
    expect(() => parseResources({ numCpus: '2' as never })).to.throw(TypeError, 'numCpus: "2" is not a number')
    expect(() => parseResources({ resources: { CPU: 1 } })).to.throw(TypeError, 'by the option numCpus')
    expect(() => parseMemory('2 gigs')).to.throw(TypeError, '2 gigs')
    expect(() => parseMemory(-1)).to.throw(RangeError, '-1')
    expect(() => parseResources({ numCpus: Number.POSITIVE_INFINITY })).to.throw(RangeError, 'numCpus')
  })

  it('writes amounts as people do', () => {
    expect(formatResources(parseResources({ numCpus: 0.5, memory: '2GiB', resources: { unicorn: 3 } }))).to.equal(
      'CPU: 0.5, memory: 2 GiB, unicorn: 3',
    )
    expect(formatResources([])).to.equal('nothing')
    expect(formatResources(parseResources({ memory: '1MiB' }))).to.equal('memory: 1 MiB')
  })

  it('rounds an amount to the nearest 1/10,000 and fits exactly what it made', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 10_000_000 }), (units) => {
        const parsed = parseResources({ numCpus: units / 10_000 })
        expect(unitsOf(parsed, 'CPU')).to.equal(units)
        expect(fits(parsed, parsed)).to.equal(true)
        expect(fits(parsed, [['CPU', units + 1]])).to.equal(false)
      }),
    )
  })

  it('gives equal resources one key, whatever order they were written in', () => {
    const a = parseResources({ numCpus: 1, resources: { x: 1, y: 2 } })
    const b = parseResources({ resources: { y: 2, x: 1 }, numCpus: 1 })
    expect(resourceKey(a)).to.equal(resourceKey(b))
    expect(resourceKey(a)).not.to.equal(resourceKey(parseResources({ numCpus: 1 })))
  })
})
