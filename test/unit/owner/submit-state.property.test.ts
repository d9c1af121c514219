import { expect } from 'chai'
import fc from 'fast-check'
import { SubmitWorld } from './submit-world.ts'

/** One step of a run: what happens, and to which of those that it can happen to. */
const step = fc.record({
  what: fc.constantFrom(
    ...[
      'submit',
      'submit',
      'submit',
      'grant',
      'grant',
      'start',
      'start',
      'start',
      'finish',
      'finish',
      'throw',
      'throw',
    ],
    ...[
      'deliver',
      'deliver',
      'deliver',
      'busy',
      'crash',
      'cancel',
      'force',
      'reclaim',
      'reclaim when idle',
      'pass',
      'return idle',
      'take back',
      'lose',
    ],
  ),
  which: fc.nat(),
})

const templates = [
  { name: 'once' },
  { name: 'short', runMicros: 1 },
  { name: 'retried', maxRetries: 1, retryExceptions: true, runMicros: 1 },
  { name: 'timed', timeoutMs: 20, runMicros: 1 },
  { name: 'for ever', maxRetries: -1, runMicros: 1 },
]

/** What becomes of a task that runs again as often as it takes. */
const ends = ['done', 'threw', 'cancelled', 'taken back', 'argument lost']

async function run(steps: readonly { what: string; which: number }[], remote: () => boolean): Promise<SubmitWorld> {
  const world = new SubmitWorld(remote)
  world.located = true
  const defined = templates.map((template) => world.template(template))
  const numbers: number[] = []
  const pick = <T>(from: Iterable<T>, which: number): T | undefined => {
    const list = [...from]
    return list[which % Math.max(1, list.length)]
  }
  for (const { what, which } of steps) {
    const request = pick(world.requests, which)
    const [index, worker] = pick(world.workers, which) ?? []
    if (what === 'submit') {
      for (let i = 0; i <= which % 5; i++) numbers.push(world.submit(defined[which % defined.length] ?? defined[0]!))
    } else if (what === 'grant' && request !== undefined) world.grant(request, which % 2 === 0 ? 0 : 1)
    else if (what === 'busy' && request !== undefined) world.refuseBusy(request)
    else if (what === 'deliver') world.pending.shift()?.()
    else if (what === 'pass') await world.clock.pass(1 + (which % 60), () => Promise.resolve())
    else if (what === 'return idle') world.state.returnIdle()
    else if (what === 'take back') {
      const number = pick(numbers, which)
      if (number !== undefined && world.state.takeBack(number)) world.settle(number, 'taken back')
    } else if (what === 'lose') {
      const number = pick(numbers, which)
      if (number !== undefined) world.loseArgument(number, which % 2 === 0)
    } else if (what === 'cancel' || what === 'force') {
      const number = pick(numbers, which)
      const open = number !== undefined && !world.settled.has(number)
      if (number === undefined) continue
      expect(world.state.cancel(number, 'a whim', what === 'force', true)).to.equal(open)
      if (open) world.cancelled.add(number)
    } else if (index !== undefined && worker !== undefined) {
      if (what === 'start') world.start(worker)
      else if (what === 'finish' || what === 'throw') {
        // Some take far longer than those before them did.
        world.finish(index, worker, what === 'throw', which % 5 === 0 ? 9_000 : 10)
      } else if (what === 'crash') world.crash(index, worker)
      else if (what.startsWith('reclaim'))
        world.state.reclaim(worker.grant.node, worker.grant.leaseId, what === 'reclaim when idle')
    }
  }
  await world.finishAll()
  for (const number of numbers) {
    const template = world.state.templateOf(number)
    const starts = world.starts.get(number) ?? 0
    const how = world.settled.get(number)
    expect(how, `task ${number} (${template.name})`).to.not.equal(undefined)
    if (template.maxRetries === 0) expect(starts, `starts of task ${number}`).to.be.at.most(1)
    if (template.maxRetries > 0) expect(starts).to.be.at.most(template.maxRetries + 1)
    if (how === 'taken back' && template.maxRetries === 0) expect(starts).to.equal(0)
    if (how === 'done') expect(starts).to.be.greaterThan(0)
    expect(how === 'cancelled').to.equal(world.cancelled.has(number))
    if (template.name === 'for ever') expect(how).to.be.oneOf(ends)
  }
  return world
}

describe('submit-state, whatever happens', () => {
  for (const where of ['here', 'elsewhere', 'here and elsewhere'] as const) {
    it(`settles each task once, starts none twice without leave, keeps nothing; claim pages ${where}`, async () => {
      const property = fc.asyncProperty(fc.array(step, { maxLength: 150, size: 'max' }), async (steps) => {
        let leases = 0
        const world = await run(steps, () => where === 'elsewhere' || (where !== 'here' && leases++ % 2 === 0))
        const { unsettled, leases: left, requests } = world.state
        expect([unsettled, left.size, requests.size, world.clock.pending]).to.deep.equal([0, 0, 0, 0])
        expect(world.state.holding.size).to.equal(0)
        for (const record of world.state.classes)
          expect([record.queued, record.leases.length, record.located.size]).to.deep.equal([0, 0, 0])
      })
      await fc.assert(property, { numRuns: 150 })
    })
  }
})
