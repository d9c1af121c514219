/**
 * Says in a worker's own output which function wrote it: a line `<RS>name` before the first output of another
 * function, in the same stream, so that the order holds. The node manager's tail takes these lines out again.
 */
import { runningTask } from './task-context.ts'

const recordSeparator = '\u001e'

export function markOutput(): void {
  for (const stream of [process.stdout, process.stderr]) {
    const write = stream.write.bind(stream) as (...args: unknown[]) => boolean
    let marked = ''
    stream.write = (...args: unknown[]): boolean => {
      const name = runningTask()?.name ?? ''
      if (name !== marked) {
        marked = name
        write(`${recordSeparator}${name}\n`)
      }
      return write(...args)
    }
  }
}
