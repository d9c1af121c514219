/**
 * Which of many new functions are looked at. To read the text of one costs as much as a third of an original's call, so
 * that where a thousand in a row were to run in the caller, one of about 32 is read.
 */

/** So many in a row are looked at first; twice as many after each stretch that ended. */
const sureAfter = 1000
/** From one that is looked at to the next: by chance, so that no period of the program hides a function. */
const leastBetween = 16
const chanceBits = 5

export class Stretch {
  /** In a row that were to run in the caller. */
  #inARow = 0
  #sureAfter = sureAfter
  #chance = 1

  /** One was looked at, and is to run in the caller. Gives how many may follow that are not looked at. */
  stayed(): number {
    if (++this.#inARow <= this.#sureAfter) return 0
    this.#chance = (Math.imul(this.#chance, 1_664_525) + 1_013_904_223) | 0
    return leastBetween + (this.#chance >>> (32 - chanceBits))
  }

  /** One was looked at and is not, or took long. */
  ended(): void {
    if (this.#inARow > this.#sureAfter) this.#sureAfter *= 2
    this.#inARow = 0
  }
}
