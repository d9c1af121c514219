/**
 * Histories in which the head is away for long, while drivers have more to do than their homes have room for. Nobody
 * tells of loads then: work goes where there is room all the same, and no request waits at its home for long while
 * another node has nothing to do.
 */
import { type Random, randomInteger } from '../../runtime/base/random.ts'
import { fits } from '../../runtime/scheduler/resources.ts'
import { demand } from './checks.ts'
import type { SimNode } from './node.ts'
import type { World } from './world.ts'

/** Between two looks, in milliseconds. */
const lookMs = 200
/** Until loads count no more, and then until a node that is held for full is asked again; and some time to go there. */
const mostMs = 2_000 + 5_000 + 1_000

/** In one history of sixteen, by draws of its own: the others are as they were without. */
export function scheduleAway(world: World, random: Random): void {
  if (random.next() > 1 / 16) return
  const atMs = 50 + random.next() * 500
  const awayMs = 3_000 + random.next() * 17_000
  const somewhere = (least: number, most: number, act: () => void): void =>
    void world.clock.after(least + random.next() * (most - least), act)
  // Some of that is over long before the head is back, and some is not.
  for (let left = 2 + randomInteger(random, 6); left > 0; left--) somewhere(0, atMs, () => work(world, random, awayMs))
  for (let left = 2 + randomInteger(random, 6); left > 0; left--)
    somewhere(atMs, atMs + awayMs, () => work(world, random, awayMs))
  world.clock.after(atMs, () => {
    world.count('head away')
    world.restartHead(awayMs)
    new Away(world).look()
  })
}

/** A driver has something to do that takes a while. */
function work(world: World, random: Random, mostMs: number): void {
  const drivers = world.drivers.filter(({ alive, begun, over }) => alive && begun && !over)
  const driver = drivers[randomInteger(random, Math.max(drivers.length, 1))]
  if (driver === undefined) return
  const ms = random.next() < 0.5 ? 300 : mostMs
  world.network.run(driver, 'works for long', () => world.workload.long(driver, 1 + randomInteger(random, 6), ms))
}

class Away {
  readonly #world: World
  readonly #head: World['head']
  /** Nodes that nobody has asked for anything, and that have given nothing to anybody: since when. */
  readonly #idle = new Map<SimNode, number>()
  /**
   * By home and other node: when a program of that home could last not reach the other. What it asked there was in vain,
   * and its home holds that node for full for as long as if it had refused.
   */
  readonly #unreached = new Map<string, number>()
  /** Requests that wait at their home: since when. */
  #waits = new Map<string, number>()

  constructor(world: World) {
    this.#world = world
    this.#head = world.head
  }

  look(): void {
    if (this.#world.head !== this.#head || this.#head.alive) return
    const nowMs = this.#world.clock.now()
    for (const node of this.#world.nodes()) {
      const { leases, queued } = node.grants.stats()
      const sinceMs = Math.max(this.#idle.get(node) ?? nowMs, node.askedAtMs)
      this.#idle.set(node, leases + queued > 0 || node.paused || node.grants.draining ? nowMs : sinceMs)
    }
    this.#lookAtWays(nowMs)
    this.#lookAtRequests(nowMs)
    this.#world.clock.after(lookMs, () => this.look())
  }

  #lookAtWays(nowMs: number): void {
    for (const { id, nodeId } of this.#world.owners())
      for (const other of this.#idle.keys())
        if (!this.#world.network.passes(id, other.id)) this.#unreached.set(`${nodeId} ${other.id}`, nowMs)
  }

  #lookAtRequests(nowMs: number): void {
    const { network } = this.#world
    const before = this.#waits
    this.#waits = new Map()
    for (const { id, nodeId, paused, objects } of this.#world.owners()) {
      const home = this.#world.nodes().find((node) => node.id === nodeId)
      if (home === undefined || home.paused || paused || !network.passes(id, nodeId)) continue
      for (const [requestId, { node, classIndex }] of objects.submit.requests) {
        if (node !== null) continue
        const name = `${id}:${requestId}`
        const sinceMs = before.get(name) ?? nowMs
        this.#waits.set(name, sinceMs)
        const { resources } = objects.submit.classAt(classIndex).of
        for (const [other, idleMs] of this.#idle) {
          if (!this.#isKnown(other, home) || !fits(other.total, resources)) continue
          const reachedMs = this.#unreached.get(`${nodeId} ${other.id}`) ?? 0
          const inVain = nowMs - Math.max(sinceMs, idleMs, reachedMs)
          const text = `request ${name} waits at ${nodeId} for ${inVain} ms, and ${other.id} has nothing to do`
          demand(inVain < mostMs, 'placed-without-head', () => text)
        }
      }
    }
  }

  #isKnown(other: SimNode, home: SimNode): boolean {
    const row = other.alive && other !== home ? home.grants.row(other.id) : undefined
    return row !== undefined && row.state === 'alive'
  }
}
