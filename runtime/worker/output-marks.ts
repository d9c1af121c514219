/**
 * Says in a worker's own output which function wrote it: a mark before the first output of another function, in the same
 * stream, so that the order holds. The node manager's tail takes these lines out again, and shows an
 * unfinished line that stands before one.
 */
import { outputMark } from '../base/output-mark.ts'
import { runningTask } from './task-context.ts'

const lineFeed = 0x0a

/**
 * Returns what is called when nothing runs any more: it ends lines that are open, so that they are shown. Node makes the
 * streams when they are first asked for, which most workers never do.
 */
export function markOutput(): () => void {
  const ends: (() => void)[] = []
  for (const name of ['stdout', 'stderr'] as const) {
    const own = Object.getOwnPropertyDescriptor(process, name) ?? {}
    const get = (): NodeJS.WriteStream => {
      Object.defineProperty(process, name, own)
      const stream = process[name]
      ends.push(marking(stream))
      return stream
    }
    Object.defineProperty(process, name, { configurable: true, enumerable: true, get })
  }
  return () => {
    for (const end of ends) end()
  }
}

/** Marks what is written to it from now on; returns what ends its open line. */
function marking(stream: NodeJS.WriteStream): () => void {
  const write = stream.write.bind(stream) as (...args: unknown[]) => boolean
  let marked = ''
  let isOpen = false
  stream.write = (...args: unknown[]): boolean => {
    const name = runningTask()?.name ?? ''
    if (name !== marked) {
      marked = name
      write(outputMark(name))
    }
    isOpen = !isWhole(args[0]) && (isOpen || args[0] !== '')
    return write(...args)
  }
  return () => {
    if (isOpen) write(outputMark(marked))
    isOpen = false
  }
}

function isWhole(written: unknown): boolean {
  return typeof written === 'string'
    ? written.endsWith('\n')
    : (written as Uint8Array | undefined)?.at?.(-1) === lineFeed
}
