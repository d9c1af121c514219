import { expect } from 'chai'
import fc from 'fast-check'
import { CodeCacheState } from '../../../runtime/node/code-cache-state.ts'

type Step =
  | { readonly do: 'need'; readonly who: string; readonly key: string }
  | { readonly do: 'made'; readonly who: string; readonly key: string; readonly bytes: number }
  | { readonly do: 'notMade'; readonly who: string; readonly key: string; readonly again: boolean }
  | { readonly do: 'gone'; readonly who: string }

const who = fc.constantFrom('v', 'w', 'x', 'y')
const key = fc.constantFrom('a', 'b', 'c', 'd', 'e')
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('need' as const), who, key }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('made' as const), who, key, bytes: fc.nat(60) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('notMade' as const), who, key, again: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('gone' as const), who }) },
)

/** Plays steps, and holds the machine to what a node relies on. */
class World {
  readonly limits = { maxBytes: 100, maxEntries: 3 }
  /** Questions that were not answered yet. */
  readonly open = new Map<number, { who: string; key: string }>()
  /** Entries on disk, and who makes what. */
  readonly disk = new Set<string>()
  readonly making = new Map<string, string>()
  readonly users = new Map<string, Set<string>>()
  readonly state: CodeCacheState
  next = 1

  constructor() {
    this.state = new CodeCacheState(this.limits, {
      make: (maker, requestId, entry) => {
        expect(this.open.get(requestId)).to.deep.equal({ who: maker, key: entry })
        expect(this.making.has(entry), 'made by two').to.equal(false)
        expect(this.disk.has(entry), 'made again').to.equal(false)
        this.making.set(entry, maker)
      },
      ready: (asker, requestId, entry) => {
        expect(this.open.get(requestId)).to.deep.equal({ who: asker, key: entry })
        expect(this.disk.has(entry), 'ready and not there').to.equal(true)
        this.open.delete(requestId)
        const users = this.users.get(entry) ?? new Set()
        this.users.set(entry, users.add(asker))
      },
      failed: (_asker, requestId) => {
        expect(this.open.delete(requestId), 'answered twice').to.equal(true)
      },
      publish: (maker, entry) => {
        expect(this.making.get(entry)).to.equal(maker)
        this.making.delete(entry)
        this.disk.add(entry)
        return ''
      },
      discard: (maker, entry) => {
        expect(this.making.get(entry)).to.equal(maker)
        this.making.delete(entry)
      },
      remove: (entry) => {
        expect(this.users.get(entry)?.size ?? 0, 'removed while it is used').to.equal(0)
        expect(this.disk.delete(entry)).to.equal(true)
      },
    })
  }

  play(next: Step): void {
    switch (next.do) {
      case 'need':
        this.open.set(this.next, { who: next.who, key: next.key })
        this.state.need(next.who, this.next++, next.key)
        break
      case 'made':
        this.state.made(next.who, next.key, next.bytes)
        break
      case 'notMade':
        this.state.notMade(next.who, next.key, 'it failed', next.again)
        break
      case 'gone':
        for (const [id, asked] of this.open) if (asked.who === next.who) this.open.delete(id)
        for (const users of this.users.values()) users.delete(next.who)
        this.state.gone(next.who)
    }
    this.state.validate()
    // Whoever waits, waits for somebody who makes it.
    for (const { key: entry } of this.open.values()) expect(this.making.has(entry), `${entry} is made`).to.equal(true)
    expect(this.state.bytes).to.be.at.most(this.limits.maxBytes)
    expect(this.disk.size).to.be.at.most(this.limits.maxEntries + this.making.size)
  }
}

describe('the code cache of a node', () => {
  it('makes each entry once, answers every question once, keeps what is used and no more than its limits', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const world = new World()
        for (const next of steps) world.play(next)
        // In the end everything that is being made fails, and nobody waits.
        for (const name of ['v', 'w', 'x', 'y']) world.play({ do: 'gone', who: name })
        expect(world.open.size).to.equal(0)
        expect(world.making.size).to.equal(0)
        expect(world.disk.size).to.be.at.most(world.limits.maxEntries)
      }),
      { numRuns: 500 },
    )
  })

  it('gives up what was asked for longest ago', () => {
    const world = new World()
    for (const entry of ['a', 'b', 'c']) {
      world.play({ do: 'need', who: 'w', key: entry })
      world.play({ do: 'made', who: 'w', key: entry, bytes: 30 })
    }
    world.play({ do: 'gone', who: 'w' })
    world.play({ do: 'need', who: 'v', key: 'a' })
    world.play({ do: 'need', who: 'v', key: 'd' })
    world.play({ do: 'made', who: 'v', key: 'd', bytes: 40 })
    expect([...world.disk].sort()).to.deep.equal(['a', 'c', 'd'])
  })

  it('refuses what does not fit beside what is in use, and says how much there is', () => {
    let told = ''
    const state = new CodeCacheState(
      { maxBytes: 100, maxEntries: 9 },
      {
        make: () => undefined,
        ready: () => undefined,
        failed: (_who, _id, _key, text) => {
          told = text
        },
        publish: () => '',
        discard: () => undefined,
        remove: () => undefined,
      },
    )
    state.need('w', 1, 'a')
    state.made('w', 'a', 80)
    state.need('w', 2, 'b')
    state.made('w', 'b', 30)
    expect(told).to.contain('30 bytes more').and.contain('100 bytes').and.contain('--code-cache-size')
    expect(state.bytes).to.equal(80)
  })

  it('lets the next make it when the maker is gone, and tells all when it cannot be made', () => {
    const world = new World()
    world.play({ do: 'need', who: 'v', key: 'a' })
    world.play({ do: 'need', who: 'w', key: 'a' })
    world.play({ do: 'need', who: 'x', key: 'a' })
    world.play({ do: 'gone', who: 'v' })
    expect(world.making.get('a')).to.equal('w')
    world.play({ do: 'notMade', who: 'w', key: 'a', again: true })
    expect(world.making.get('a')).to.equal('x')
    world.play({ do: 'need', who: 'y', key: 'a' })
    world.play({ do: 'notMade', who: 'x', key: 'a', again: false })
    expect(world.open.size).to.equal(0)
  })
})
