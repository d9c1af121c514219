import { expect } from 'chai'
import fc from 'fast-check'
import { deferred } from '../../../runtime/base/deferred.ts'
import type { Deferred } from '../../../runtime/base/deferred.ts'
import { AuthenticationError, ConnectionLostError } from '../../../runtime/base/errors.ts'
import { seededRandom } from '../../../runtime/base/random.ts'
import { peerHello } from '../../../runtime/transport/hello.ts'
import type { Link } from '../../../runtime/transport/link.ts'
import { memoryPair } from '../../../runtime/transport/memory.ts'
import { backoffDelayMs, defaultBackoff, Reconnect } from '../../../runtime/transport/reconnect.ts'
import { hello } from './support.ts'
import { ManualClock } from '../manual-clock.ts'

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

describe('backoffDelayMs', () => {
  it('stays between half and all of a delay that doubles up to its limit', () => {
    fc.assert(
      fc.property(fc.nat(200), fc.integer(), (attempt, seed) => {
        const fullMs = Math.min(defaultBackoff.mostMs, defaultBackoff.firstMs * 2 ** attempt)
        expect(backoffDelayMs(attempt, seededRandom(seed))).to.be.within(fullMs / 2, fullMs)
      }),
    )
  })
})

describe('Reconnect', () => {
  let clock: ManualClock
  let dials: Deferred<Link>[]
  let made: Link[]
  let givenUp: Error[]
  const refused = new ConnectionLostError('refused')

  function make(giveUpAfterMs?: number): Reconnect {
    clock = new ManualClock()
    dials = []
    made = []
    givenUp = []
    return new Reconnect({
      dial() {
        const next = deferred<Link>()
        dials.push(next)
        return next.promise
      },
      onLink: (link) => void made.push(link),
      onGiveUp: (error) => void givenUp.push(error),
      clock,
      random: seededRandom(1),
      ...(giveUpAfterMs === undefined ? {} : { giveUpAfterMs }),
    })
  }

  function link(): Link {
    return memoryPair(peerHello(hello()), peerHello(hello('head')))[0]
  }

  it('makes a link, and another when that is lost', async () => {
    const reconnect = make()
    reconnect.start()
    dials[0]?.resolve(link())
    await turn()
    expect(reconnect.mode).to.equal('connected')
    reconnect.lost()
    expect(reconnect.mode).to.equal('waiting')
    clock.advance(defaultBackoff.firstMs)
    expect(dials).to.have.length(2)
    dials[1]?.resolve(link())
    await turn()
    expect(made).to.have.length(2)
  })

  it('waits longer after each failure, and begins anew after a link that lasted', async () => {
    const reconnect = make()
    reconnect.start()
    for (let attempt = 0; attempt < 12; attempt++) {
      dials.at(-1)?.reject(refused)
      await turn()
      const fullMs = Math.min(defaultBackoff.mostMs, defaultBackoff.firstMs * 2 ** attempt)
      clock.advance(fullMs / 2 - 1)
      expect(dials).to.have.length(attempt + 1)
      clock.advance(fullMs / 2 + 1)
      expect(dials).to.have.length(attempt + 2)
    }
    dials.at(-1)?.resolve(link())
    await turn()
    clock.advance(1_000)
    reconnect.lost()
    clock.advance(defaultBackoff.firstMs)
    expect(dials).to.have.length(14)
  })

  it('waits longer and longer, too, where links are lost as soon as they are there', async () => {
    const reconnect = make()
    reconnect.start()
    for (let second = 0; second < 60; second++) {
      for (let tenth = 0; tenth < 10; tenth++) {
        dials.at(-1)?.resolve(link())
        await turn()
        reconnect.lost()
        clock.advance(100)
      }
    }
    expect(dials).to.have.length.below(30)
  })

  it('gives up at once on a wrong token', async () => {
    const reconnect = make()
    const error = new AuthenticationError('wrong')
    reconnect.start()
    dials[0]?.reject(error)
    await turn()
    expect([reconnect.mode, givenUp, clock.pending]).to.deep.equal(['given-up', [error], 0])
  })

  it('gives up after its time without a link', async () => {
    const reconnect = make(1_000)
    reconnect.start()
    for (let i = 0; i < 20 && reconnect.mode !== 'given-up'; i++) {
      dials.at(-1)?.reject(refused)
      await turn()
      clock.advance(200)
    }
    expect(givenUp.map(({ message, cause }) => [message, cause])).to.deep.equal([
      ['no attempt succeeded for 1000 ms: refused', refused],
    ])
    expect(clock.now()).to.be.within(1_000, 2_000)
  })

  it('closes a link that comes after stop, and tries no more', async () => {
    const reconnect = make()
    reconnect.start()
    reconnect.stop()
    const late = link()
    dials[0]?.resolve(late)
    await turn()
    expect([late.closed, made, reconnect.mode]).to.deep.equal([true, [], 'stopped'])
    reconnect.lost()
    expect(clock.pending).to.equal(0)
  })
})
