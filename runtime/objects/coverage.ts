/** Which bytes of an object have been written, as ascending spans. Chunks mostly come in order: then it is one span. */
export class Coverage {
  readonly #sizeBytes: number
  #spans: { from: number; to: number }[] = []

  constructor(sizeBytes: number) {
    this.#sizeBytes = sizeBytes
  }

  /** @throws RangeError where the chunk lies outside of the object. */
  check(length: number, offset: number): void {
    if (Number.isSafeInteger(offset) && offset >= 0 && offset + length <= this.#sizeBytes) return
    throw new RangeError(`bytes ${offset} to ${offset + length} lie outside of an object of ${this.#sizeBytes}`)
  }

  add(length: number, offset: number): void {
    if (length === 0) return
    let span = { from: offset, to: offset + length }
    const apart: { from: number; to: number }[] = []
    for (const other of this.#spans) {
      if (other.to < span.from || other.from > span.to) apart.push(other)
      else span = { from: Math.min(other.from, span.from), to: Math.max(other.to, span.to) }
    }
    apart.push(span)
    this.#spans = apart
  }

  /** @throws RangeError where bytes are missing. */
  checkWhole(): void {
    const missingBytes = this.#spans.reduce((missing, { from, to }) => missing - (to - from), this.#sizeBytes)
    if (missingBytes === 0) return
    throw new RangeError(`${missingBytes} of ${this.#sizeBytes} bytes are not written; write them before seal()`)
  }
}
