/**
 * The output of one stream of one worker as lines: whole ones, marks taken out, repeated ones folded, long ones cut,
 * and no more per second than a person could want. Pure; the tailer beside it reads the files.
 *
 * A worker writes a mark before the output of a function when the name differs from the last one.
 */
import { StringDecoder } from 'node:string_decoder'
import { markBegin } from '../base/output-mark.ts'

export interface NamedLine {
  /** The function that wrote it; '' before the first mark. */
  readonly name: string
  readonly text: string
}

export interface LogLimits {
  /** Characters of one line that are kept. */
  readonly maxLineLength: number
  /** Lines per second and stream, on average, and how many may come at once. */
  readonly linesPerSecond: number
  readonly burstLines: number
  /** How long repetitions of a line are counted before they are told, in milliseconds. */
  readonly foldMs: number
}

export const defaultLogLimits: LogLimits = {
  maxLineLength: 8_192,
  linesPerSecond: 1_000,
  burstLines: 2_000,
  foldMs: 1_000,
}

const lineFeed = 0x0a
const recordSeparator = 0x1e

export class LogLines {
  readonly #limits: LogLimits
  readonly #decoder = new StringDecoder('utf8')
  /** What has come of the line that is not complete yet, without what was cut. */
  #partial = ''
  #inMark = false
  /** What came last, where that may be the beginning of a mark. */
  #held = ''
  /** Characters of the current line, the cut ones included. */
  #length = 0
  #name = ''
  #last: NamedLine | undefined
  #repeats = 0
  #repeatsSinceMs = 0
  #tokens: number
  #refilledAtMs: number
  #dropped = 0
  /** Whose the first of them was. */
  #droppedName = ''

  constructor(limits: LogLimits = defaultLogLimits, nowMs: number = 0) {
    this.#limits = limits
    this.#tokens = limits.burstLines
    this.#refilledAtMs = nowMs
  }

  /** The lines that these bytes complete. */
  feed(bytes: Uint8Array, nowMs: number): NamedLine[] {
    const lines: NamedLine[] = []
    this.#take(this.#decoder.write(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)), lines, nowMs)
    return lines
  }

  /** Repetitions and drops whose time to be told has come. */
  tick(nowMs: number): NamedLine[] {
    const lines: NamedLine[] = []
    if (this.#repeats > 0 && nowMs - this.#repeatsSinceMs >= this.#limits.foldMs) this.#tellRepeats(lines)
    this.#refill(nowMs)
    if (this.#tokens >= 1) this.#tellDropped(lines)
    return lines
  }

  /** The stream is over: what is left, complete or not. */
  end(nowMs: number): NamedLine[] {
    const lines: NamedLine[] = []
    this.#take(this.#decoder.end(), lines, nowMs)
    this.#append(this.#held)
    this.#held = ''
    if (this.#length > 0 && !this.#inMark) this.#line(lines, nowMs)
    this.#tellRepeats(lines)
    this.#tellDropped(lines)
    return lines
  }

  #take(more: string, lines: NamedLine[], nowMs: number): void {
    const text = this.#held + more
    this.#held = ''
    let from = 0
    for (let at = 0; at < text.length; at++) {
      const character = text.charCodeAt(at)
      if (character === lineFeed) {
        this.#append(text.slice(from, at))
        this.#lineFeed(lines, nowMs)
        from = at + 1
      } else if (character === recordSeparator && markBegin.startsWith(text.slice(at, at + markBegin.length))) {
        this.#append(text.slice(from, at))
        from = at + markBegin.length
        if (from > text.length) {
          this.#held = text.slice(at)
          return
        }
        if (this.#length > 0 && !this.#inMark) this.#line(lines, nowMs)
        this.#reset(true)
        at = from - 1
      }
    }
    this.#append(text.slice(from))
  }

  #lineFeed(lines: NamedLine[], nowMs: number): void {
    if (!this.#inMark) return this.#line(lines, nowMs)
    this.#name = this.#partial
    this.#reset(false)
  }

  #append(text: string): void {
    this.#length += text.length
    const room = this.#limits.maxLineLength - this.#partial.length
    if (room > 0) this.#partial += text.slice(0, room)
  }

  #reset(inMark: boolean): void {
    this.#partial = ''
    this.#length = 0
    this.#inMark = inMark
  }

  #line(lines: NamedLine[], nowMs: number): void {
    const cut = this.#length - this.#partial.length
    const whole = this.#partial.endsWith('\r') ? this.#partial.slice(0, -1) : this.#partial
    const text = cut > 0 ? `${whole}... (${cut} characters more)` : whole
    this.#reset(false)
    const last = this.#last
    if (last !== undefined && last.text === text && last.name === this.#name) {
      if (this.#repeats++ === 0) this.#repeatsSinceMs = nowMs
      return
    }
    this.#tellRepeats(lines)
    this.#refill(nowMs)
    if (this.#tokens < 1) {
      if (this.#dropped++ === 0) this.#droppedName = this.#name
      return
    }
    this.#tellDropped(lines)
    this.#tokens--
    this.#last = { name: this.#name, text }
    lines.push(this.#last)
  }

  /** One repetition is shown as it was; more are counted. */
  #tellRepeats(lines: NamedLine[]): void {
    const { name = '', text = '' } = this.#last ?? {}
    if (this.#repeats === 1) lines.push({ name, text })
    else if (this.#repeats > 1) lines.push({ name, text: `... repeated ${this.#repeats} times` })
    this.#repeats = 0
  }

  #tellDropped(lines: NamedLine[]): void {
    if (this.#dropped === 0) return
    const { linesPerSecond } = this.#limits
    lines.push({
      name: this.#droppedName,
      text: `... ${this.#dropped} lines dropped (more than ${linesPerSecond} per second)`,
    })
    this.#dropped = 0
    this.#last = undefined
  }

  #refill(nowMs: number): void {
    const { linesPerSecond, burstLines } = this.#limits
    const earned = ((nowMs - this.#refilledAtMs) / 1_000) * linesPerSecond
    this.#tokens = Math.min(burstLines, this.#tokens + Math.max(0, earned))
    this.#refilledAtMs = Math.max(this.#refilledAtMs, nowMs)
  }
}
