// A worker script as users of the original write it: it must run unchanged under both.
import { existsSync, writeFileSync } from 'node:fs'
import { Socket } from 'node:net'
import workerpool, { isMainThread, worker } from 'workerpool'

let calls = 0

worker(
  {
    add: (a, b) => a + b,
    async addLater(a, b, delay) {
      await new Promise((resolve) => setTimeout(resolve, delay))
      return a + b
    },
    sleep: (delay) => new Promise((resolve) => setTimeout(() => resolve(delay), delay)),
    spin(delay) {
      const end = Date.now() + delay
      while (Date.now() < end);
      return delay
    },
    count: () => ++calls,
    async waitFor(file) {
      while (!existsSync(file)) await new Promise((resolve) => setTimeout(resolve, 5))
      return 'it is there'
    },
    /** Ends only after its listener has made the file. */
    async printAndWait(text, file) {
      console.log(text)
      while (!existsSync(file)) await new Promise((resolve) => setTimeout(resolve, 5))
    },
    echo: (value) => value,
    nothing: () => undefined,
    null: () => null,
    fail(message) {
      throw new TypeError(message)
    },
    async failLater(message) {
      throw Object.assign(new Error(message), { status: 418 })
    },
    async failHolding(message) {
      throw Object.assign(new Error(message), { status: 418, socket: new Socket(), seen: new WeakMap() })
    },
    exit: (code) => process.exit(code),
    kill: () => process.kill(process.pid, 'SIGKILL'),
    where: () => ({ isMainThread, alsoMainThread: workerpool.isMainThread, pid: process.pid }),
    argv: () => process.argv.slice(2),
    variable: (name) => process.env[name],
    env: (name) => process.env[name],
    transfer: (size) => new workerpool.Transfer(new Uint8Array(size).fill(7), []),
    addShared: (shared, amount) => Atomics.add(shared, 0, amount),
    say(port, word) {
      port.postMessage(word)
      port.close()
    },
    emit(payloads) {
      for (const payload of payloads) workerpool.workerEmit(payload)
      return payloads.length
    },
    /** Ends only after its listener has made the file. `blocking`: without giving anything else a chance to run. */
    async emitAndWait(file, blocking) {
      workerpool.workerEmit('waiting')
      while (!existsSync(file)) if (!blocking) await new Promise((resolve) => setTimeout(resolve, 5))
      workerpool.workerEmit('seen')
      setTimeout(() => workerpool.workerEmit('too late'), 20)
      return 'done'
    },
    emitThis() {
      this.worker.emit('from this')
      return true
    },
    append(file, n) {
      writeFileSync(file, `${n}\n`, { flag: 'a' })
      return n
    },
    /** Ends its process where both numbers are the same. */
    endAt(n, last, how) {
      if (n === last && how === 'exit') process.exit(3)
      if (n === last) process.kill(process.pid, 'SIGKILL')
      return n
    },
    appendPid: (file) => writeFileSync(file, `${process.pid}\n`, { flag: 'a' }),
    /** Its listener ends it first, and goes on for a while. */
    abortedFirst(file) {
      return new Promise((resolve) => {
        const timer = setTimeout(resolve, 30_000)
        this.worker.addAbortListener(async () => {
          workerpool.workerEmit('cleaning')
          clearTimeout(timer)
          resolve()
          await new Promise((done) => setTimeout(done, 100))
          writeFileSync(file, 'cleaned')
        })
        writeFileSync(file, 'began')
      })
    },
    startedBy: () => process.argv[0],
    abortable(file) {
      return new Promise((resolve) => {
        const timer = setTimeout(resolve, 30_000)
        this.worker.addAbortListener(async () => {
          clearTimeout(timer)
          writeFileSync(file, 'aborted')
          resolve()
        })
        writeFileSync(file, 'began')
      })
    },
  },
  {
    onTerminate(code) {
      if (process.env.TERMINATION_FILE !== undefined) writeFileSync(process.env.TERMINATION_FILE, `terminated ${code}`)
    },
  },
)
