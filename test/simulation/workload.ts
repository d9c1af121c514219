/** What the drivers of the simulation do: calls of all kinds, refs passed around, cancels, pinned classes. */
import { pick, type Random, randomInteger } from '../../runtime/base/random.ts'
import type { LeaseKind, RefTuple, ResourceUnits } from '../../runtime/protocol/messages.ts'
import type { TaskTemplate } from '../../runtime/owner/submit-types.ts'
import type { SimDriver } from './driver.ts'
import type { SimOwner } from './owner.ts'
import { lineFaults, stopFor } from './faults.ts'
import type { Behaviour, Call } from './tasks.ts'

const one = 10_000
const sizes: readonly ResourceUnits[] = [
  [['CPU', one]],
  [['CPU', one]],
  [['CPU', one / 2]],
  [['CPU', 2 * one]],
  [
    ['CPU', one],
    ['gpu', one],
  ],
]

export class Workload {
  readonly #random: Random
  readonly #mostBytes: number
  /** By owner: templates are shared by calls, so that run times are learned. */
  readonly #templates = new WeakMap<SimOwner, TaskTemplate[]>()

  /** `mostBytes`: of a large value, beside the 200,000 that each of them has. */
  constructor(random: Random, mostBytes: number) {
    this.#random = random
    this.#mostBytes = mostBytes
  }

  /** A driver does one thing. */
  step(driver: SimDriver): void {
    const { objects, handles } = driver
    const { loses, rings, lines } = objects.world.options
    if (loses && this.#random.next() < 0.3 && this.#crowd(driver)) return
    if (rings && this.#random.next() < 0.3) return this.#queue(driver)
    if (lines && this.#random.next() < 0.25) return this.#line(driver)
    const roll = this.#random.next()
    if (roll < 0.45) this.#burst(driver)
    else if (roll < 0.55) driver.keep(objects.put(this.#some(handles, 2), this.#bytes(0.5)))
    else if (roll < 0.7 && handles.length > 0) {
      objects.get(pick(this.#random, handles), (refs) => refs.forEach((ref) => driver.keep(ref)))
    } else if (roll < 0.8 && handles.length > 0) driver.drop(randomInteger(this.#random, handles.length))
    else if (roll < 0.9 && handles.length > 0) {
      const [owner, number] = pick(this.#random, handles)
      if (owner === driver.id) objects.cancel(number, this.#random.next() < 0.3)
    } else if (roll < 0.93) this.#pinned(driver)
    else driver.closePinned(this.#random.next() < 0.5)
  }

  /** A call that a running task makes. */
  nested(owner: SimOwner, depth: number, handles: readonly RefTuple[]): Call {
    // As its other draws, only where something comes of it: the other histories are as they were without.
    const awaited = owner.world.options.locates ? this.#some(handles, 1) : []
    return this.#call(owner, this.#template(owner), depth, awaited, this.#some(handles, 1))
  }

  #burst(driver: SimDriver): void {
    const { objects, handles } = driver
    const template = driver.pinned !== undefined && this.#random.next() < 0.3 ? driver.pinned : this.#template(objects)
    const count = this.#random.next() < 0.3 ? 1 + randomInteger(this.#random, 12) : 1
    for (let i = 0; i < count; i++) {
      const call = this.#call(objects, template, 0, this.#some(handles, 2), this.#some(handles, 2))
      for (const ref of objects.start(call)) driver.keep(ref)
    }
  }

  /** Far more short calls than workers take at once: what they answer is no news. */
  #queue(driver: SimDriver): void {
    const { objects } = driver
    const random = this.#random
    const options = { maxRetries: pick(random, [0, 3]), retryExceptions: false, timeoutMs: 0, numReturns: 1 }
    const template = objects.template('task', pick(random, [sizes[0], sizes[2]]) as ResourceUnits, options)
    const usualMs = pick(random, [0.05, 0.3, 2])
    const isRare = (): boolean => random.next() < 0.03
    for (let left = 20 + randomInteger(random, 100); left > 0; left--) {
      const behaviour = {
        ...{ durationMs: usualMs * (isRare() ? 20 : 0.5 + random.next()), children: isRare() ? 1 : 0 },
        ...{ awaitsChildren: true, getsRefs: false, returnsRefs: false, keepsRefs: false },
        ...{ throws: isRare() ? 1 : 0, heedsAbort: true, resultBytes: isRare() ? 200_000 : 0 },
      }
      for (const ref of objects.start({ template, behaviour, awaited: [], contained: [], depth: 1 })) {
        if (random.next() < 0.3) driver.keep(ref)
        else objects.release(ref)
      }
    }
  }

  /**
   * More calls than a claim page has words, behind a long one, of a function that is known to be short: most of them are
   * cancelled before their worker comes to them, and others take their places there. Their worker may be stopped before.
   */
  #line(driver: SimDriver): void {
    const { objects } = driver
    const { world } = objects
    const random = this.#random
    const options = { maxRetries: pick(random, [0, 0, 3]), retryExceptions: false, timeoutMs: 0, numReturns: 1 }
    const template = objects.template('task', sizes[0] as ResourceUnits, options)
    const call = (durationMs: number): number => {
      const behaviour = {
        ...{ durationMs, children: 0, awaitsChildren: false, getsRefs: false, returnsRefs: false, keepsRefs: false },
        ...{ throws: 0, heedsAbort: random.next() < 0.5, resultBytes: 0 },
      }
      const [ref] = objects.start({ template, behaviour, awaited: [], contained: [], depth: 1 }) as [RefTuple]
      driver.keep(ref)
      return ref[1]
    }
    world.count('long line')
    for (let left = 8; left > 0; left--) call(0.02)
    // When these are measured, or not quite.
    world.network.after(driver, random.next() * 150, 'long line', () => {
      if (random.next() < 0.5)
        for (const { worker } of objects.leases.values()) stopFor(world, worker, random.next() * 60)
      const long = call(random.next() * 60)
      const numbers = Array.from({ length: 200 + randomInteger(random, 2_800) }, () => call(random.next() * 0.04))
      const kept = random.next() < 0.7 ? 0.02 : random.next()
      const cancel = (): void => {
        for (const number of numbers) if (random.next() > kept) objects.submit.cancel(number, 'a whim', false, true)
        if (random.next() < 0.2) objects.cancel(long, random.next() < 0.5)
      }
      world.network.after(driver, random.next() * 12, 'long line', cancel)
      world.clock.after(random.next() * 30, () => pick(random, lineFaults)(world, random))
    })
  }

  /** Calls that take up to `mostMs` milliseconds: what comes behind them waits, or goes elsewhere. */
  long(driver: SimDriver, count: number, mostMs: number): void {
    const { objects } = driver
    const random = this.#random
    const options = { maxRetries: pick(random, [0, 3]), retryExceptions: false, timeoutMs: 0, numReturns: 1 }
    const template = objects.template('task', pick(random, [sizes[0], sizes[2], sizes[3]]) as ResourceUnits, options)
    for (let left = count; left > 0; left--) {
      const behaviour = {
        ...{ durationMs: random.next() * mostMs, children: 0, awaitsChildren: false, getsRefs: false },
        ...{ returnsRefs: false, keepsRefs: false, throws: 0, heedsAbort: true, resultBytes: 0 },
      }
      for (const ref of objects.start({ template, behaviour, awaited: [], contained: [], depth: 1 })) driver.keep(ref)
    }
  }

  /** Many read one value at once, the oldest: that one is on disk before others. False where there is none. */
  #crowd(driver: SimDriver): boolean {
    const { objects, handles } = driver
    const isStored = ([, number]: RefTuple): boolean => objects.outcomes.get(number)?.stored !== undefined
    const ref = handles.find((one) => one[0] === driver.id && isStored(one))
    if (ref === undefined) return false
    const template = this.#template(objects)
    for (let left = 4 + randomInteger(this.#random, 6); left > 0; left--)
      for (const result of objects.start(this.#call(objects, template, 0, [ref], []))) driver.keep(result)
    return true
  }

  #pinned(driver: SimDriver): void {
    if (driver.pinned !== undefined) return
    driver.pinned = this.#newTemplate(driver.objects, 'pinned')
    driver.objects.submit.openPinned(driver.pinned.classIndex)
  }

  #call(
    owner: SimOwner,
    template: TaskTemplate,
    depth: number,
    awaited: readonly RefTuple[],
    contained: readonly RefTuple[],
  ): Call {
    const behaviour = this.#behaviour(depth)
    const { kind, resources } = owner.submit.classAt(template.classIndex).of
    // What awaits gives back its CPU and nothing else: it may not wait for those who need what it keeps. And a pinned
    // worker is one at a time: what waits there for another task of its own would wait for ever.
    const keeps = kind === 'pinned' || resources.some(([name]) => name !== 'CPU')
    const waits = keeps ? { getsRefs: false, awaitsChildren: false } : {}
    return { template, behaviour: { ...behaviour, ...waits }, awaited, contained, depth }
  }

  #behaviour(depth: number): Behaviour {
    const random = this.#random
    const likely = (chance: number): boolean => random.next() < chance
    const short = likely(0.6)
    return {
      durationMs: likely(0.1) ? 0 : random.next() * (short ? 0.3 : 60),
      children: depth < 2 && likely(0.2) ? 1 + randomInteger(random, 2) : 0,
      awaitsChildren: likely(0.7),
      getsRefs: likely(0.3),
      returnsRefs: likely(0.4),
      keepsRefs: likely(0.2),
      throws: likely(0.1) ? 0.5 : 0,
      heedsAbort: likely(0.7),
      resultBytes: this.#bytes(0.35),
    }
  }

  /** Of a value: 0 for one that needs no store. */
  #bytes(large: number): number {
    if (this.#random.next() >= large) return 0
    return 200_000 + Math.floor(this.#random.next() ** 2 * this.#mostBytes)
  }

  #template(owner: SimOwner): TaskTemplate {
    let templates = this.#templates.get(owner)
    if (templates === undefined) this.#templates.set(owner, (templates = []))
    if (templates.length < 4) {
      const template = this.#newTemplate(owner, 'task')
      templates.push(template)
      return template
    }
    return pick(this.#random, templates)
  }

  #newTemplate(owner: SimOwner, kind: LeaseKind): TaskTemplate {
    const random = this.#random
    const resources = kind === 'pinned' ? (sizes[2] as ResourceUnits) : pick(random, sizes)
    const options = {
      maxRetries: pick(random, [0, 3, 3, -1]),
      retryExceptions: kind === 'task' && random.next() < 0.3,
      timeoutMs: random.next() < 0.15 ? 30 : 0,
      numReturns: random.next() < 0.2 ? 2 : 1,
    }
    return owner.template(kind, resources, options, randomInteger(random, 3))
  }

  #some(refs: readonly RefTuple[], most: number): RefTuple[] {
    if (refs.length === 0 || this.#random.next() < 0.5) return []
    const count = 1 + randomInteger(this.#random, most)
    return Array.from({ length: count }, () => pick(this.#random, refs))
  }
}
