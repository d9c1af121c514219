/** What goes wrong in the simulation, and when. */
import type { ProcessId } from '../../runtime/base/ids.ts'
import { pick, type Random, randomInteger } from '../../runtime/base/random.ts'
import { silentMs } from './head.ts'
import type { SimNode } from './node.ts'
import type { World } from './world.ts'

type Fault = (world: World, random: Random) => void

/** Stops a node manager, for less than the detection takes or for more: then its death is declared meanwhile. */
const stopNode: Fault = (world, random) => {
  const node = expendable(world, random)
  if (node === undefined || node.paused) return
  const long = random.next() < 0.5
  const stoppedMs = long ? silentMs + 500 + random.next() * 2_000 : random.next() * 1_000
  node.paused = true
  world.clock.after(stoppedMs, () => world.network.resume(node))
  if (long) world.network.after(world.head, silentMs, 'missed heartbeats', () => world.head.silent(node.id))
}

export const killNode: Fault = (world, random) => {
  const node = expendable(world, random)
  if (node !== undefined) world.killNode(node)
}

const killWorker: Fault = (world, random) => {
  const workers = world.workers()
  if (workers.length > 0) world.kill(pick(random, workers))
}

const killDriver: Fault = (world, random) => {
  if (world.drivers.filter((driver) => driver.alive).length > 1) world.kill(pick(random, world.drivers.slice(1)))
}

const drainNode: Fault = (world, random) => {
  const node = expendable(world, random)
  if (node === undefined) return
  world.network.run(node, 'drain', () => node.grants.drain())
  // It leaves when it is empty, at the latest after a while: what can run nowhere else would keep it for ever.
  world.clock.after(1_500, () => world.killNode(node))
}

const cutLink: Fault = (world, random) => {
  const links = [...world.network.links.values()].filter(({ ends }) => world.mayBeCut(ends[0], ends[1]))
  if (links.length > 0) world.cut(pick(random, links))
}

/** Some for longer than the detection takes. */
const cutOneWay: Fault = (world, random) => {
  const links = [...world.network.links.values()].filter(({ ends }) => world.mayBeCut(ends[0], ends[1]))
  if (links.length === 0) return
  const link = pick(random, links)
  const from = pick(random, link.ends)
  // The home of a driver that the head does not hear is declared dead, and takes the driver along.
  const isHome = world.drivers.some(({ nodeId }) => link.ends.includes(nodeId))
  const long = from === world.head.id ? random.next() < 0.7 : random.next() < 0.3 && !isHome
  const durationMs = long ? silentMs + random.next() * 2_000 : random.next() * 1_000
  world.cutOneWay(link, from, durationMs, random.next() < 0.5)
}

const stallLink: Fault = (world, random) => {
  const links = [...world.network.links.values()]
  if (links.length > 0) world.network.stall(pick(random, links), random.next() * 500)
}

const addNode: Fault = (world) => {
  if (world.nodes().length < 4) world.addNode([['CPU', 20_000]])
}

const stopWorker: Fault = (world, random) => {
  const workers = world.workers()
  if (workers.length === 0) return
  const worker = pick(random, workers)
  if (!worker.paused) stopFor(world, worker.id, random.next() * 300)
}

/** Stops a worker for so long, if it lives. */
export function stopFor(world: World, process: ProcessId, durationMs: number): void {
  const worker = world.workers().find(({ id }) => id === process)
  if (worker === undefined || worker.paused) return
  worker.paused = true
  world.clock.after(durationMs, () => world.network.resume(worker))
}

const stopHead: Fault = (world, random) => {
  const { head } = world
  if (head.paused) return
  head.paused = true
  world.clock.after(random.next() * 3_000, () => world.network.resume(head))
}

/** What becomes of a worker with a long line of tasks ahead. */
export const lineFaults: readonly Fault[] = [
  killWorker,
  stopWorker,
  stopWorker,
  drainNode,
  cutLink,
  stallLink,
  () => {},
]

/** By how often they are drawn. */
const faults: readonly (readonly [Fault, number])[] = [
  [killWorker, 5],
  [stallLink, 4],
  [cutLink, 3],
  [cutOneWay, 3],
  [stopWorker, 2],
  [killNode, 2],
  [stopNode, 2],
  [drainNode, 1],
  [killDriver, 1],
  [addNode, 2],
  [stopHead, 1],
]

/** Draws faults over the time in which the drivers work. */
export function scheduleFaults(world: World, random: Random, count: number, withinMs: number): void {
  const drawn = faults.flatMap(([fault, weight]) => Array<Fault>(weight).fill(fault))
  for (let i = 0; i < count; i++) {
    const fault = pick(random, drawn)
    world.clock.after(random.next() * withinMs, () => fault(world, random))
  }
}

/** The home of a driver dies, and that driver with it: of the end of its job the head tells. */
const killHome: Fault = (world, random) => {
  const [first] = world.drivers
  const homes = world
    .nodes()
    .filter(({ id }) => world.drivers.some(({ nodeId }) => nodeId === id && id !== first?.nodeId))
  if (homes.length === 0) return
  const home = pick(random, homes)
  world.count('home dies')
  world.killNode(home)
  for (const driver of world.drivers)
    if (driver.nodeId === home.id) world.clock.after(random.next() * 5, () => world.kill(driver))
}

/**
 * In one history of five heads die and are started again, from what they have saved; in others a home dies. By draws of
 * their own, so that the other histories are as they were without.
 */
export function scheduleEnds(world: World, random: Random): void {
  const roll = random.next()
  const restart: Fault = () => world.restartHead(random.next() * (random.next() < 0.8 ? 500 : 4_000))
  const fault = roll < 0.2 ? restart : killHome
  if (roll > 0.3) return
  for (let left = roll < 0.2 ? 1 + randomInteger(random, 3) : 1; left > 0; left--)
    world.clock.after(random.next() * 1_500, () => fault(world, random))
}

/** A worker may die while its store has no room for it: that lasts too short for a fault to meet it by chance. */
export function waitsForRoom(world: World, process: ProcessId): void {
  const worker = world.workers().find(({ id }) => id === process)
  if (worker !== undefined && world.random.next() < 0.25)
    world.clock.after(world.random.next() * 10, () => world.kill(worker))
}

/** A node that is the home of no driver. */
function expendable(world: World, random: Random): SimNode | undefined {
  const nodes = world.nodes().filter((node) => !world.drivers.some((driver) => driver.nodeId === node.id))
  return nodes.length === 0 ? undefined : nodes[randomInteger(random, nodes.length)]
}
