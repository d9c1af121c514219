import { LostCopies } from './lost-copies.ts'
import { ServeLimit } from './serve-limit.ts'

/** What a node knows of the objects that it serves, over whatever channel. */
export class Serving {
  readonly limit: ServeLimit = new ServeLimit()
  readonly lost: LostCopies = new LostCopies()
}
