/** What workers print, as the driver's user sees it: `(fn pid=.. node=..) line`, on the stream it was written to. */
import { type Message, MessageType } from '../runtime/protocol/messages.ts'

/** The digits of a node's id that tell nodes apart well enough. */
const nodeDigits = 8

export class LogPrinter {
  readonly #enabled: boolean

  constructor(enabled: boolean) {
    this.#enabled = enabled
  }

  received(message: Message): void {
    if (message[0] !== MessageType.log || !this.#enabled) return
    for (const [stream, pid, node, name, text] of message[1]) {
      const who = `(${name === '' ? 'worker' : name} pid=${pid} node=${node.slice(0, nodeDigits)})`
      process[stream].write(`${who} ${text}\n`)
    }
  }
}
