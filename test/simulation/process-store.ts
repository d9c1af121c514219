/** How a simulated process reaches values: by the store of its node, or in a memory of its own. */
import { ObjectLostError } from '../../runtime/base/errors.ts'
import { parseObjectKey } from '../../runtime/base/ids.ts'
import { ObjectPuller } from '../../runtime/node/transfer.ts'
import type { ObjectReading, ObjectWriter } from '../../runtime/objects/store.ts'
import type { Holder } from '../../runtime/protocol/messages.ts'
import { chunkOf, type Content } from './contents.ts'
import { waitsForRoom } from './faults.ts'
import type { Endpoint } from './network.ts'
import type { SimNode } from './node.ts'
import { Arriving, PullStore } from './pull-store.ts'
import { whyFull } from './store.ts'
import type { World } from './world.ts'

/** A value that somebody has; it stays what it is until it is released. */
export interface Reading {
  readonly content: Content
  release(): void
}

export interface ProcessStore {
  /** Who has what is put here. */
  readonly holder: Holder
  put(content: Content, then: (error: string | undefined) => void): void
  get(key: string, expected: boolean, then: (reading: Reading | undefined, error?: Error) => void): void
  pull(key: string, sizeBytes: number, holders: readonly Holder[], then: (error: Error | undefined) => void): void
  has(key: string): boolean
  delete(key: string): void
}

/** Over the link to the node manager on the same machine, which does not break while both live. */
export class NodeStore implements ProcessStore {
  readonly holder: Holder
  readonly #world: World
  readonly #process: Endpoint
  readonly #node: SimNode

  constructor(world: World, process: Endpoint, node: SimNode) {
    this.#world = world
    this.#process = process
    this.#node = node
    this.holder = [node.id, node.id]
  }

  put(content: Content, then: (error: string | undefined) => void): void {
    const { key, sizeBytes } = content
    this.#world.note(this.#process, `stores ${key}`)
    this.#world.losses.made(key, this.#process.nodeId)
    const { id } = this.#process
    // An earlier attempt may have left something here, or made this one when another of its results was lost.
    this.#toNode('storeNotes', ({ store }) => {
      if (store.has(key)) this.#world.losses.lost(key, 'it is made again')
      store.change((ledger) => ledger.delete(key))
    })
    this.#toNode('storeRequest', ({ store }) =>
      store.change((ledger) => {
        let answered = false
        ledger.room(id, sizeBytes, sizeBytes, (room) => {
          answered = true
          this.#answer('storeReply', () => {
            if (!('segment' in room)) return then(whyFull(room))
            this.#node.store.write(room, content)
            this.#toNode('storeNotes', (to) => to.sealed(id, key, room, sizeBytes))
            then(undefined)
          })
        })
        if (!answered) waitsForRoom(this.#world, id)
      }),
    )
  }

  get(key: string, expected: boolean, then: (reading: Reading | undefined, error?: Error) => void): void {
    const { id } = this.#process
    this.#toNode('storeRequest', ({ store }) =>
      store.change((ledger) =>
        ledger.get(id, key, { expected }, (place, error) => {
          if (place === undefined) store.missed(key)
          this.#answer('storeReply', () => {
            if (place === undefined) return then(undefined, error)
            const content = store.contentAt(place, key)
            const release = (): void => {
              store.contentAt(place, key)
              this.#toNode('storeNotes', (to) => to.store.change(() => to.store.ledger.released(id, [place.entry])))
            }
            then({ content, release })
          })
        }),
      ),
    )
  }

  pull(key: string, sizeBytes: number, holders: readonly Holder[], then: (error: Error | undefined) => void): void {
    const { id } = this.#process
    this.#toNode('pull', (node) => {
      node.noteOwner(node.workers.has(id) ? node.grants.jobOf(id) : id, parseObjectKey(key).owner)
      this.#world.background(
        node.puller.pull(key, sizeBytes, holders).then(
          () => this.#answer('pulled', () => then(undefined)),
          (error: Error) => this.#answer('pulled', () => then(error)),
        ),
      )
    })
  }

  has(key: string): boolean {
    return this.#node.store.has(key)
  }

  delete(key: string): void {
    this.#toNode('free', (node) => node.free(key))
  }

  #toNode(what: string, tell: (node: SimNode) => void): void {
    const { id } = this.#process
    // With a process its link is over: what it said last is not read any more.
    this.#world.network.send<SimNode>(this.#process, this.#node.id, what, (node) => {
      if (node.serves(id)) tell(node)
    })
  }

  /** An answer may come twice; the second finds nobody who waits for it. */
  #answer(what: string, tell: () => void): void {
    let waits = true
    this.#world.network.send(this.#node, this.#process.id, what, () => {
      if (waits) tell()
      waits = false
    })
  }
}

/** Of a driver that shares no machine with a node. It is a holder itself. */
export class OwnMemory implements ProcessStore {
  readonly holder: Holder
  readonly shelf: Shelf = new Shelf()
  readonly #puller: ObjectPuller
  readonly #world: World

  constructor(world: World, process: Endpoint) {
    this.#world = world
    this.holder = [process.nodeId, process.id]
    this.#puller = new ObjectPuller({ store: this.shelf, ...world.pullerParts(process) })
  }

  put(content: Content, then: (error: string | undefined) => void): void {
    this.shelf.values.set(content.key, content)
    then(undefined)
  }

  get(key: string, _expected: boolean, then: (reading: Reading | undefined) => void): void {
    const content = this.shelf.values.get(key)
    then(content && { content, release: () => {} })
  }

  pull(key: string, sizeBytes: number, holders: readonly Holder[], then: (error: Error | undefined) => void): void {
    this.#world.background(this.#puller.pull(key, sizeBytes, holders).then(() => then(undefined), then))
  }

  has(key: string): boolean {
    return this.shelf.has(key)
  }

  delete(key: string): void {
    this.shelf.values.delete(key)
  }
}

class Shelf extends PullStore {
  readonly values: Map<string, Content> = new Map<string, Content>()

  create(key: string, sizeBytes: number): Promise<ObjectWriter> {
    return Promise.resolve(
      new Arriving(
        key,
        sizeBytes,
        (content) => this.values.set(key, content),
        () => {},
      ),
    )
  }

  open(key: string): Promise<ObjectReading> {
    const content = this.values.get(key)
    if (content === undefined) return Promise.reject(new ObjectLostError(`object ${key} is not here`))
    const { sizeBytes } = content
    return Promise.resolve({
      sizeBytes,
      read: (offset, length) => Promise.resolve(chunkOf(content, offset, length)),
      close: () => {},
    })
  }

  delete(key: string): Promise<void> {
    this.values.delete(key)
    return Promise.resolve()
  }

  sizeOf(key: string): number | undefined {
    return this.values.get(key)?.sizeBytes
  }
}
