/**
 * The output of several at once, each one's whole and in one piece: the first on stage is printed as it comes, the
 * others are kept until it has left; then the longest waiting comes on, with what it has said so far.
 *
 *     waiting ──▶ on stage ──▶ gone
 */
export class Stage {
  /** @type {{ kept: Buffer[], over: boolean }[]} the first is on stage */
  #acts = []
  #print

  /** @param {(chunk: Buffer | string) => void} print */
  constructor(print) {
    this.#print = print
  }

  /**
   * One that will speak, announced by `title` when it comes on.
   * @param {string} title
   * @returns {{ write(chunk: Buffer): void, end(): void }}
   */
  enter(title) {
    const act = { kept: [], over: false }
    const say = (chunk) => (this.#acts[0] === act ? this.#print(chunk) : act.kept.push(chunk))
    this.#acts.push(act)
    say(title)
    return {
      write: say,
      end: () => {
        act.over = true
        this.#next()
      },
    }
  }

  #next() {
    while (this.#acts[0]?.over) {
      this.#acts.shift()
      for (const chunk of this.#acts[0]?.kept.splice(0) ?? []) this.#print(chunk)
    }
  }
}
