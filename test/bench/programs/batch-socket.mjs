/** Batches of messages on a socket: a 4-byte length and a msgpackr array of what was sent since the last turn. */
import { Packr } from 'msgpackr'

const packr = new Packr({ useRecords: false })
const prefixBytes = 4
const maxBatch = 256

export class BatchSocket {
  #batch = []
  #rest = Buffer.alloc(0)
  #onMessage

  constructor(socket, onMessage) {
    this.socket = socket
    this.#onMessage = onMessage
    socket.on('data', (bytes) => this.#receive(bytes))
    socket.on('error', () => {})
  }

  send(message) {
    if (this.#batch.push(message) >= maxBatch) this.#flush()
    else if (this.#batch.length === 1) setImmediate(() => this.#flush())
  }

  #flush() {
    if (this.#batch.length === 0) return
    const body = packr.pack(this.#batch)
    this.#batch = []
    const frame = Buffer.allocUnsafe(prefixBytes + body.length)
    frame.writeUInt32LE(body.length, 0)
    body.copy(frame, prefixBytes)
    this.socket.write(frame)
  }

  #receive(bytes) {
    let data = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes])
    while (data.length >= prefixBytes) {
      const end = prefixBytes + data.readUInt32LE(0)
      if (data.length < end) break
      for (const message of packr.unpack(data.subarray(prefixBytes, end))) this.#onMessage(message)
      data = data.subarray(end)
    }
    this.#rest = data
  }
}
