/** Reading the first bytes of a connection, before it becomes something else. */
import type { Duplex } from 'node:stream'
import { ConnectionLostError } from '../base/errors.ts'

/**
 * Feeds `parse` with all bytes so far until it returns how many belong to the head; what lies behind them is put back
 * and the socket is left paused without listeners of ours. `parse` bounds the size by throwing. Rejects with what it
 * throws, or ConnectionLostError.
 */
export function readHead<T extends { readonly used: number }>(
  socket: Duplex,
  parse: (bytes: Buffer) => T | undefined,
): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    let bytes: Buffer = Buffer.alloc(0)
    const stop = (): void => {
      socket.pause()
      socket.off('data', onData).off('end', onEnd).off('close', onEnd).off('error', onError)
    }
    const onError = (cause: Error): void => {
      stop()
      reject(new ConnectionLostError(`the connection broke during the handshake: ${cause.message}`, { cause }))
    }
    const onEnd = (): void => {
      stop()
      reject(new ConnectionLostError('the other side closed the connection during the handshake'))
    }
    const onData = (chunk: Buffer): void => {
      bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk])
      try {
        const head = parse(bytes)
        if (head === undefined) return
        stop()
        if (head.used < bytes.length) socket.unshift(bytes.subarray(head.used))
        resolve(head)
      } catch (error) {
        stop()
        reject(error instanceof Error ? error : new Error(String(error)))
      }
    }
    if (socket.destroyed || socket.readableEnded) return onEnd()
    socket.on('data', onData).on('end', onEnd).on('close', onEnd).on('error', onError)
    socket.resume()
  })
}
