/** Programs that end in every way, by the first argument; the second is a folder where tasks tell what they did. */
import { readdirSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { context, get, init, put, remote } from 'outpool'

const [how, folder] = process.argv.slice(2)
const work = remote(new URL('../fixtures/tasks.mjs', import.meta.url), 'work')
const add = remote((a, b) => a + b)

const programs = {
  /** Awaits what it asked for. */
  async awaits() {
    const values = await get(Array.from({ length: 20 }, (_, i) => add.remote(i, 1)))
    const big = await put(new Uint8Array(1_000_000))
    const length = await remote((bytes) => bytes.length).run(big)
    console.log(values.length, length)
  },
  /** The first call starts Outpool; its ref travels before anything was awaited. */
  async first() {
    const ref = add.remote(1, 2)
    const reads = remote(async (box) => (await box.ref.get()) + 1)
    console.log(await reads.remote({ ref }).get(), context().kind)
  },
  /** Awaits nothing. */
  async forgets() {
    for (let i = 0; i < 10; i++) add.remote(i, 1)
    console.log('submitted')
  },
  /** Asks for more when it is told that nothing is left to do, by listeners from before and from behind its first call. */
  async reopens() {
    let told = 0
    const more = async () => {
      if (told++ < 2) console.log(await add.run(told, 1))
    }
    process.on('beforeExit', () => void more())
    console.log(await add.run(0, 1))
    process.on('beforeExit', () => void more())
  },
  /** Waits for one and leaves the other, which would take forever. */
  async leaves() {
    work.remote(folder, 'left', 3_600_000)
    console.log(await add.run(1, 2))
  },
  async throws() {
    await add.run(1, 2)
    work.remote(folder, 'busy', 3_600_000)
    throw new Error('the program fails')
  },
  async exits() {
    await add.run(1, 2)
    work.remote(folder, 'busy', 3_600_000)
    process.exit(7)
  },
  /** Waits for several, one of which fails: the others would take forever. */
  async gives_up() {
    const fails = remote(() => {
      throw new RangeError('no')
    })
    const refs = [work.remote(folder, 'left', 3_600_000), fails.remote(), work.remote(folder, 'left', 3_600_000)]
    console.log(await get(refs).catch((error) => error.name))
  },
  /** The same in a thread, of which Node watches what it opens. */
  async thread() {
    const { Worker } = await import('node:worker_threads')
    await new Promise((resolve) =>
      new Worker(new URL(import.meta.url), { argv: ['awaits', folder] }).once('exit', resolve),
    )
  },
  /** Is busy by itself while its workers start, for longer than anybody waits for an answer. */
  async blocks() {
    await init({ numCpus: 4 })
    const refs = Array.from({ length: 8 }, (_, i) => add.remote(i, 1))
    await new Promise((resolve) => setTimeout(resolve, 20))
    const endMs = performance.now() + 8_000
    while (performance.now() < endMs);
    console.log((await get(refs)).length)
  },
  /** Is told that its node cannot be set up, by when that listens already. */
  async fails_to_start() {
    const starts = init()
    const root = join(
      tmpdir(),
      readdirSync(tmpdir()).find((name) => name.startsWith('outpool-')),
    )
    // Where the node writes what it is, as its last step.
    writeFileSync(join(root, readdirSync(root)[0], 'node.json.new'), '')
    console.log(await starts.catch((error) => error.name))
  },
  /** Forgets to end its pools, which Python and the exit of Node would end. */
  async pools() {
    const { Pool } = await import('outpool/multiprocessing')
    const { Executor } = await import('outpool/executor')
    const { default: workerpool } = await import('outpool/workerpool')
    const inc = (n) => n + 1
    const [two] = await new Pool(2).map(inc, [1])
    const three = await new Executor(2).submit(inc, 2).result()
    const four = await workerpool.pool({ minWorkers: 2, maxWorkers: 2 }).exec(inc, [3])
    console.log(two, three, four)
  },
  /** Waits for copies of a value on other nodes, and for nothing else. */
  async copies() {
    const ref = await put(new Uint8Array(1_000_000), { replicas: 2 })
    console.log((await ref.get()).length)
  },
  /** Has tasks that never end, with processes of their own. */
  async hangs() {
    const spawns = remote(async (folder) => {
      const { spawn } = await import('node:child_process')
      const { writeFileSync } = await import('node:fs')
      const child = spawn('sleep', ['3600'], { stdio: 'ignore' })
      writeFileSync(`${folder}/grandchild`, `${child.pid}\n`)
      await new Promise(() => setInterval(() => {}, 1_000))
    })
    await Promise.all([work.run(folder, 'busy', 3_600_000), spawns.run(folder)])
  },
}

await programs[how]()
