/**
 * Specs of finished tasks, kept so that a lost result can be made again: argument bytes in a slab of their own, values
 * that came inline, refs. Which of them are kept is decided by `lineage-state.ts`.
 *
 * What a spec does with the refs among its arguments:
 *
 *     made by a task whose spec is kept    its bytes may be freed: they can be made again
 *     inline, without refs                 its bytes are part of the spec, the ref is not needed
 *     any other (put, of another owner)    held as long as the spec is kept, so that it is there when it is needed
 */
import { maxLineageBytes } from '../base/limits.ts'
import type { ObjectNumber, TaskNumber } from '../base/ids.ts'
import { isPlainBytes } from '../objects/compact.ts'
import type { Attachment, RefTuple, ResultTuple } from '../protocol/messages.ts'
import { ByteSlab, type Piece } from './byte-slab.ts'
import type { CapturedCall } from './captured-calls.ts'
import type { GeneratorItems } from './generator-state.ts'
import type { Generators } from './generators.ts'
import { LineageState } from './lineage-state.ts'
import type { ObjectTable } from './object-table.ts'
import type { OwnerValues } from './owner-values.ts'
import type { SubmitState } from './submit-state.ts'
import { emptyChunk, slotOf, type TaskTable } from './task-table.ts'

/** What is kept of a task, beyond its columns in the table. */
export interface KeptSpec {
  /** Its argument bytes; undefined where it has none. */
  readonly args: Piece | undefined
  /** The arguments that are refs, in their order. */
  readonly awaited: readonly RefTuple[]
  /** Of those, the values that came inline. */
  readonly known: readonly (Attachment | undefined)[]
  /** Refs inside arguments, and in what the function captured. */
  readonly contained: readonly RefTuple[]
  readonly captured: CapturedCall | undefined
  /** Refs that are held for the spec. */
  readonly held: readonly RefTuple[]
  /** Arguments that other kept specs make. */
  readonly made: readonly ObjectNumber[]
  /** Of a generator: how many items it made, and those that lie in a store. */
  readonly items: GeneratorItems | undefined
}

/** What a task has while it has not settled. */
export interface SpecSource {
  readonly slab: ByteSlab
  readonly attachments: ReadonlyMap<number, readonly Attachment[]>
  readonly captured: ReadonlyMap<number, CapturedCall>
  readonly pins: ReadonlyMap<number, readonly RefTuple[]>
}

export interface LineageParts {
  readonly table: TaskTable
  readonly objects: ObjectTable
  readonly values: OwnerValues
  /** Process whose objects the numbers are. */
  readonly self: { readonly process: RefTuple[0] }
  readonly tasks: Pick<SubmitState, 'templateOf' | 'classAt'>
  readonly generators: Pick<Generators, 'itemsOf'>
  /** Of all specs. Default: `maxLineageBytes`. */
  readonly maxBytes?: number | undefined
}

/** What one spec, and one ref in it, take beside their bytes. A guess that is not too low. */
const specBytes = 200
const refBytes = 50
const none: readonly RefTuple[] = []
const noValues: readonly Attachment[] = []
const noItems: GeneratorItems['stored'] = []

export class Lineage {
  readonly state: LineageState
  readonly slab: ByteSlab = new ByteSlab()
  readonly #parts: LineageParts
  readonly #specs = new Map<TaskNumber, KeptSpec>()

  constructor(parts: LineageParts) {
    this.#parts = parts
    this.state = new LineageState(parts.maxBytes ?? maxLineageBytes, { forget: (task) => this.#forget(task) })
  }

  /** Specs that are kept. */
  get size(): number {
    return this.#specs.size
  }

  specOf(task: TaskNumber): KeptSpec | undefined {
    return this.#specs.get(task)
  }

  /** A task has finished, and its results are about to settle: its spec is kept where one of them lies in a store. */
  keep(task: TaskNumber, results: readonly ResultTuple[], source: SpecSource): void {
    if (this.#specs.has(task) || !this.#mayRunAgain(task)) return
    const items = this.#parts.generators.itemsOf(task)
    const stored = results.flatMap((result, i) => (result[0] === 'stored' ? [task + i] : []))
    if (items !== undefined) stored.push(...items.stored.map(({ number }) => number))
    if (stored.length === 0) return
    const values = source.attachments.get(task) ?? noValues
    const contained = (source.pins.get(task) ?? none).slice(values.length)
    const held: RefTuple[] = []
    const made: ObjectNumber[] = []
    const known: (Attachment | undefined)[] = []
    let sizeBytes = specBytes + (values.length + contained.length + (items?.stored.length ?? 0)) * refBytes
    const take = (ref: RefTuple): void => {
      const isOwn = ref[0] === this.#parts.self.process
      if (isOwn && this.state.makerOf(ref[1]) !== undefined) made.push(ref[1])
      else held.push(ref)
    }
    for (const attachment of values) {
      const [ref, value] = attachment
      const isInline = value[0] === 'inline'
      known.push(isInline ? attachment : undefined)
      if (isInline) sizeBytes += value[1].length
      if (!isInline || !isPlainBytes(value[1])) take(ref)
    }
    for (const ref of contained) take(ref)
    for (const ref of held) this.#parts.values.retain(ref)
    const captured = source.captured.get(task)
    const args = this.#argsOf(task, source.slab)
    sizeBytes += (args?.length ?? 0) + (captured?.parts.at(-1)?.bytes.length ?? 0)
    const awaited = values.map(([ref]) => ref)
    this.#specs.set(task, { args, awaited, known, contained, captured, held, made, items })
    this.state.keep(task, stored, made, sizeBytes)
  }

  /** Whether an object that nobody refers to any more keeps its number, because of a spec. */
  unheld(number: ObjectNumber): boolean {
    const { objects } = this.#parts
    if (this.#specs.size === 0 || !this.#specs.has(objects.taskOf(number))) return false
    // An item that came inline is of no use to anybody.
    if (objects.isItem(number) && this.state.makerOf(number) === undefined) return false
    objects.lose(number)
    this.state.unheld(number)
    return true
  }

  clear(): void {
    this.state.clear()
    this.#specs.clear()
  }

  #mayRunAgain(task: TaskNumber): boolean {
    const { table, tasks } = this.#parts
    const { classIndex } = tasks.templateOf(task)
    return table.at(task).retries[slotOf(task)] !== 0 && tasks.classAt(classIndex).of.kind === 'task'
  }

  #argsOf(task: TaskNumber, slab: ByteSlab): Piece | undefined {
    const page = this.#parts.table.at(task)
    const slot = slotOf(task)
    const chunk = page.argsChunk[slot] as number
    if (chunk === emptyChunk) return undefined
    const piece: Piece = { chunk: 0, offset: 0, length: 0 }
    this.slab.store(slab.view(chunk, page.argsOffset[slot] as number, page.argsLength[slot] as number), piece)
    return piece
  }

  #forget(task: TaskNumber): void {
    const spec = this.#specs.get(task)
    if (spec === undefined) return
    this.#specs.delete(task)
    if (spec.args !== undefined) this.slab.release(spec.args.chunk, spec.args.length)
    const { values, tasks } = this.#parts
    for (let i = tasks.templateOf(task).numReturns - 1; i >= 0; i--) values.forget(task + i)
    for (const { number } of spec.items?.stored ?? noItems) values.forget(number)
    for (const [owner, number] of spec.held) values.release(owner, number)
  }
}
