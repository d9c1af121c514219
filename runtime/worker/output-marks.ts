/**
 * Says in a worker's own output which function wrote it: a mark before the first output of another function, in the same
 * stream, so that the order holds. The node manager's tail takes these lines out again, and shows an
 * unfinished line that stands before one.
 */
import { outputMark } from '../base/output-mark.ts'
import { runningTask } from './task-context.ts'

const lineFeed = 0x0a

/** Returns what is called when nothing runs any more: it ends lines that are open, so that they are shown. */
export function markOutput(): () => void {
  const ends = [process.stdout, process.stderr].map((stream) => {
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
  })
  return () => {
    for (const end of ends) end()
  }
}

function isWhole(written: unknown): boolean {
  return typeof written === 'string'
    ? written.endsWith('\n')
    : (written as Uint8Array | undefined)?.at?.(-1) === lineFeed
}
