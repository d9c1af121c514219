// Tasks that note on disk that they were started, for the test that ends them in every way.
import { appendFileSync } from 'node:fs'
import workerpool from 'workerpool'

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
const note = (file) => appendFileSync(file, `${process.pid}\n`)

workerpool.worker({
  async note(file, ms) {
    note(file)
    await sleep(ms)
    return 'done'
  },
  async noteAndExit(file, ms) {
    note(file)
    await sleep(ms)
    process.exit(7)
  },
  /** Cleans up when it is given up, so that its worker stays. */
  noteAndWait(file) {
    note(file)
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, 60_000)
      this.worker.addAbortListener(async () => {
        clearTimeout(timer)
        resolve()
      })
    })
  },
})
