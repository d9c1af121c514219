// A script whose abort listeners never end: the worker waits for them no longer than it was told to.
import { writeFileSync } from 'node:fs'
import workerpool from 'workerpool'

let calls = 0

workerpool.worker(
  {
    count: () => ++calls,
    stuck(file) {
      this.worker.addAbortListener(() => new Promise(() => {}))
      writeFileSync(file, 'began')
      return new Promise((resolve) => setTimeout(resolve, 30_000))
    },
  },
  { abortListenerTimeout: 50 },
)
