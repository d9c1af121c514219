/** What workers print, as the driver's user sees it: `(fn pid=.. node=..) line`, on the stream it was written to. */
import { BoundedMap } from '../runtime/base/bounded-map.ts'
import { withOriginalPlaces } from '../runtime/code/original-places.ts'
import { type Message, MessageType } from '../runtime/protocol/messages.ts'

/** So many printed lines of shipped functions are remembered. */
const maxLines = 200

/** The digits of a node's id that tell nodes apart well enough. */
const nodeDigits = 8

export class LogPrinter {
  readonly #enabled: boolean
  readonly #lines = new BoundedMap<string, string>(maxLines)

  constructor(enabled: boolean) {
    this.#enabled = enabled
  }

  received(message: Message): void {
    if (message[0] !== MessageType.log || !this.#enabled) return
    for (const [stream, pid, node, name, text] of message[1]) {
      const who = `(${name === '' ? 'worker' : name} pid=${pid} node=${node.slice(0, nodeDigits)})`
      process[stream].write(`${who} ${this.#named(text)}\n`)
    }
  }

  /** A line with the places where functions were written. Who prints a stack mostly prints it often. */
  #named(line: string): string {
    return line.includes('outpool:fn/') ? this.#lines.getOrMake(line, () => withOriginalPlaces(line)) : line
  }
}
