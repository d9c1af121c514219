import { expect } from 'chai'
import fc from 'fast-check'
import type { NodeId, ProcessId } from '../../../runtime/base/ids.ts'
import { compact, decodeCompact } from '../../../runtime/objects/compact.ts'
import { encodeValue } from '../../../runtime/objects/value.ts'
import { type GatherContext, gatherValues } from '../../../runtime/owner/gathered-values.ts'
import { ObjectTable, type Outcome } from '../../../runtime/owner/object-table.ts'
import { TaskTable } from '../../../runtime/owner/task-table.ts'
import type { RefTuple } from '../../../runtime/protocol/messages.ts'

const self = { process: 'self'.padStart(16, '0') as ProcessId, node: 'node'.padStart(16, '0') as NodeId }
const encoded = (value: unknown): Uint8Array => compact(encodeValue(value, 'value'))
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** Objects in a table; `held` counts who holds what. */
class World {
  readonly objects = new ObjectTable(new TaskTable())
  readonly held = new Map<number, number>()
  waiting = 0
  readonly context: GatherContext = {
    host: {
      self,
      refCodec: { isRef: () => false, describe: () => expect.fail(), revive: () => expect.fail() },
      enterWait: () => {
        this.waiting++
        return () => this.waiting--
      },
    },
    objects: this.objects,
    values: {
      known: ([, number]) => this.objects.outcome(number),
      retain: ([, number]) => this.hold(number, 1),
      release: (_owner, number) => this.hold(number, -1),
      deliver: (_ref, outcome, resolve, reject) => {
        if (outcome[0] === 'inline') resolve(decodeCompact(outcome[1]))
        else if (outcome[0] === 'error') reject(decodeCompact(outcome[1]))
        else setImmediate(() => resolve('stored'))
      },
    },
  }

  hold(number: number, by: number): void {
    this.held.set(number, (this.held.get(number) ?? 0) + by)
  }

  /** Nothing is held, watched or waited for any more. */
  expectNothingLeft(numbers: readonly number[]): void {
    expect(this.waiting).to.equal(0)
    expect([...this.held.values()].every((count) => count === 0)).to.equal(true)
    expect(numbers.some((number) => this.objects.isAwaited(number))).to.equal(false)
  }
}

type Deliver = Parameters<GatherContext['values']['deliver']>
type Way = 'before' | 'inline' | 'settle' | 'stored'

describe('gathered-values', () => {
  it('gives the values in the order of the refs, however and whenever each comes, and leaves nothing behind', async () => {
    const way = fc.constantFrom<Way>('before', 'inline', 'settle', 'stored')
    const plan = fc.array(fc.record({ way, rank: fc.nat(1000), again: fc.nat(3) }), { minLength: 1, maxLength: 12 })
    const property = fc.asyncProperty(plan, fc.boolean(), async (objects, alive) => {
      const world = new World()
      const made = objects.map((each, i) => ({ ...each, number: world.objects.allocate(1), value: `value ${i}` }))
      const refs = made.flatMap(({ way, number, again, value }) => {
        const ref: RefTuple = [self.process, number, self.node]
        const expected = way === 'stored' ? 'stored' : value
        // The same ref may stand in the list more than once.
        return Array.from({ length: again + 1 }, () => ({ ref, expected }))
      })
      for (const { way, number, value } of made)
        if (way === 'before') world.objects.settle(number, ['inline', encoded(value)])
      const gathered = gatherValues(
        world.context,
        refs.map(({ ref }) => ref),
      )
      for (const { way, number, value } of [...made].sort((a, b) => a.rank - b.rank)) {
        if (way === 'inline') world.objects.settleInline(number, encoded(value), alive)
        if (way === 'settle') world.objects.settle(number, ['inline', encoded(value)])
        if (way === 'stored') world.objects.settle(number, ['stored', 1, []])
      }
      expect(await gathered).to.deep.equal(refs.map(({ expected }) => expected))
      world.expectNothingLeft(made.map(({ number }) => number))
      if (alive)
        for (const { way, number } of made)
          if (way === 'inline') expect(world.objects.outcome(number)?.[0]).to.equal('inline')
    })
    await fc.assert(property, { numRuns: 200 })
  })

  it('rejects with the first error, and waits for nobody then', async () => {
    const property = fc.asyncProperty(fc.nat(6), fc.boolean(), async (failing, twice) => {
      const world = new World()
      const numbers = Array.from({ length: 7 }, () => world.objects.allocate(1))
      const refs = numbers.map((number): RefTuple => [self.process, number, self.node])
      if (twice) refs.push(refs[failing] as RefTuple)
      const gathered = gatherValues(world.context, refs).catch((error: unknown) => error)
      const error: Outcome = ['error', encoded('it failed')]
      world.objects.settle(numbers[failing] as number, error)
      expect(await gathered).to.equal('it failed')
      expect(error.unread).to.equal(false)
      world.expectNothingLeft(numbers)
      // Those that come later find nobody.
      for (const number of numbers) world.objects.settleInline(number, encoded(1), true)
      world.objects.settle(numbers[failing === 0 ? 1 : 0] as number, ['error', encoded('a second one')])
      await turn()
      world.expectNothingLeft(numbers)
    })
    await fc.assert(property, { numRuns: 60 })
  })

  it('rejects at once with an error that is known, without waiting for what is behind it', async () => {
    const world = new World()
    const [early, failed, late] = [1, 2, 3].map(() => world.objects.allocate(1)) as [number, number, number]
    world.objects.settle(failed, ['error', encoded('known')])
    const refs = [early, failed, late].map((number): RefTuple => [self.process, number, self.node])
    expect(await gatherValues(world.context, refs).catch((error: unknown) => error)).to.equal('known')
    world.expectNothingLeft([early, failed, late])
  })

  it('takes a value with a `then` as a promise takes it', async () => {
    const world = new World()
    const number = world.objects.allocate(1)
    // oxlint-disable-next-line unicorn/no-thenable -- it is what this is about
    const thenable = { then: (settle: (value: string) => void) => void setImmediate(() => settle('then')) }
    const values = { ...world.context.values, deliver: (...args: Deliver) => args[2](thenable) }
    const context: GatherContext = { ...world.context, values }
    const gathered = gatherValues(context, [[self.process, number, self.node]])
    world.objects.settle(number, ['inline', encoded(0)])
    expect(await gathered).to.deep.equal(['then'])
    world.expectNothingLeft([number])
  })
})
