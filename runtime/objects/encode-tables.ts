/** What a walk over a value remembers: the objects it met, and the lists of keys it wrote. */
import type { ByteWriter } from './byte-writer.ts'
import { tag } from './value-format.ts'

/** Up to this many objects are compared one by one: cheaper than a Map for a small value. */
const listedObjects = 8
const maxShapes = 1024
const maxShapeKeys = 40

/** Numbers objects in the order of the walk. */
export class IdentityTable {
  readonly #first: object[] = []
  #rest: Map<object, number> | undefined
  #count = 0

  /** Writes the number of an object that was met before; else gives it the next number. */
  writeBack(writer: ByteWriter, value: object): boolean {
    const number = this.#find(value)
    if (number < 0) return false
    writer.byte(tag.back)
    writer.varint(number)
    return true
  }

  clear(): void {
    this.#first.length = 0
    this.#rest = undefined
    this.#count = 0
  }

  #find(value: object): number {
    const first = this.#first
    for (let i = 0; i < first.length; i++) if (first[i] === value) return i
    if (first.length < listedObjects) {
      first.push(value)
      this.#count++
      return -1
    }
    this.#rest ??= new Map()
    const known = this.#rest.get(value)
    if (known !== undefined) return known
    this.#rest.set(value, this.#count++)
    return -1
  }
}

interface Shape {
  readonly number: number
  readonly keys: readonly string[]
}

/** Lists of keys, so that the records of an array write theirs once. */
export class ShapeTable {
  #last: Shape | undefined
  #byFirstKey: Map<string, Shape[]> | undefined
  #count = 0

  /** The number of a list that was written before, -1 for one that is to be written now, undefined for neither. */
  find(keys: readonly string[]): number | undefined {
    const last = this.#last
    if (last === undefined) return this.#add(keys, undefined)
    if (sameKeys(last.keys, keys)) return last.number
    const shapes = this.#index(last).get(keys[0] ?? '')
    if (shapes !== undefined)
      for (const shape of shapes)
        if (sameKeys(shape.keys, keys)) {
          this.#last = shape
          return shape.number
        }
    return this.#add(keys, shapes)
  }

  clear(): void {
    this.#last = undefined
    this.#byFirstKey = undefined
    this.#count = 0
  }

  /** The first shape alone needs no index. */
  #index(first: Shape): Map<string, Shape[]> {
    return (this.#byFirstKey ??= new Map([[first.keys[0] ?? '', [first]]]))
  }

  #add(keys: readonly string[], siblings: Shape[] | undefined): -1 | undefined {
    if (keys.length === 0 || keys.length > maxShapeKeys || this.#count === maxShapes) return undefined
    if (siblings !== undefined && siblings.length >= 16) return undefined
    const shape = { number: this.#count++, keys }
    if (siblings !== undefined) siblings.push(shape)
    else this.#byFirstKey?.set(keys[0] as string, [shape])
    this.#last = shape
    return -1
  }
}

function sameKeys(a: readonly string[], b: readonly string[]): boolean {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}
