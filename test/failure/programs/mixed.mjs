/**
 * One program after another in one process, as a seed draws them: how many calls, by which of the packages, on how many
 * workers, how long each takes, how they are submitted, how many are cancelled or throw, whether this process is held up
 * itself. Each run is counted where it happens. After each round it tells what is not as it has to be. The test that
 * started it stops or kills workers in the rounds that ask for it, until it has heard that the round is settled; the next
 * one begins when it has said `quiet`. Options: seed, rounds, mayFault, init, folder.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { cancel, explain, init, remote, shutdown } from 'outpool'
import { moduleFunction, ProcessPoolExecutor } from 'outpool/executor'
import { Pool } from 'outpool/multiprocessing'
import workerpool from 'outpool/workerpool'
import { numbers } from './numbers.mjs'
import { end, leftInTables, options, say, told } from './report.mjs'

const { seed, rounds, mayFault = true, folder } = options
/**
 * When none has settled for so long, none ever will. Time in which this process stood still does not count, nor does how
 * long all of them take, which is long where a machine has far more to do than this.
 */
const mostSilentMs = 60_000
const stepMs = 100
/** What a worker may take to write a trace, when it has answered. */
const mostTraceMs = 5_000
/** What a round may compute for, on each worker. */
const mostWorkMs = 1_000
const random = numbers(seed)
const chance = (share) => random() < share
const integer = (least, most) => least + Math.floor(random() * (most - least + 1))
const oneOf = (...choices) => choices[integer(0, choices.length - 1)]

const tasks = new URL('./mixed-tasks.mjs', import.meta.url)
const once = remote(tasks, 'job', { maxRetries: 0 })
const retried = remote(tasks, 'job')
const ofModule = moduleFunction(tasks, 'job')
/** Calls that call others. */
const family = remote(async (ids, how) => {
  const refs = ids.map((id) => once.remote(id, how))
  let sum = 0
  for (const ref of refs) sum += await ref.get()
  return sum
})

/** How each package is opened, called and closed. `reruns`: a call may run again when its worker was killed. */
const packages = {
  remote: () => ({
    call(id, how) {
      const ref = once.remote(id, how)
      return { result: ref.get(), cancel: () => cancel(ref) }
    },
  }),
  retried: () => ({
    reruns: true,
    call(id, how) {
      const ref = retried.remote(id, how)
      return { result: ref.get(), cancel: () => cancel(ref) }
    },
  }),
  nested: () => ({
    reruns: true,
    size: 4,
    call: (id, how) => ({ result: family.run([id, id + 1, id + 2, id + 3], { ...how, how: 'value', atOnce: true }) }),
  }),
  workerpool({ workers }) {
    const script = fileURLToPath(new URL('./mixed-worker.mjs', import.meta.url))
    const pool = workerpool.pool(script, { workerType: 'process', minWorkers: oneOf(0, workers), maxWorkers: workers })
    return {
      // A cancelled call that runs takes its worker with it, and with it what that worker had begun.
      cancelsOthers: true,
      keepsOrder: workers === 1,
      call(id, how) {
        const promise = pool.exec('job', [id, how])
        return { result: promise, cancel: () => promise.cancel() }
      },
      close: () => pool.terminate(),
    }
  },
  pool({ workers }) {
    const pool = new Pool(workers)
    return {
      reruns: true,
      call: (id, how) => ({ result: pool.apply(ofModule, [id, how]) }),
      close: () => pool.terminate(),
    }
  },
  executor({ workers }) {
    const executor = new ProcessPoolExecutor(workers)
    return {
      call(id, how) {
        const future = executor.submit(ofModule, id, how)
        return { result: future.result(), cancel: () => future.cancel() }
      },
      close: () => executor.shutdown(),
    }
  },
}

/** What a round is; nothing of it depends on time. */
function drawRound() {
  const calls = oneOf(integer(1, 20), integer(100, 600), integer(100, 600), integer(300, 2_000))
  const workers = oneOf(1, 1, 2, 3, 4)
  const lengths = oneOf('none', 'none', 'none', 'short', 'few long', 'some long', '2 ms')
  const work = oneOf('remote', 'remote', 'retried', 'nested', 'workerpool', 'workerpool', 'pool', 'executor')
  const submits = oneOf('all', 'floods', 'floods', 'bursts', 'window', 'lanes')
  const [cancelled, throwing, later] = [oneOf(0, 0, 0.05, 0.5), oneOf(0, 0, 0.1), oneOf(0, 0, 0.2)]
  const [stalls, faults] = [chance(1 / 3), oneOf('none', 'none', 'stop', 'kill')]
  return {
    work,
    calls,
    workers,
    lengths,
    submits,
    cancelled,
    throwing,
    later,
    stalls,
    faults: mayFault ? faults : 'none',
  }
}

const meanMs = { none: 0, short: 0.25, 'few long': 0.4, 'some long': 1.2, '2 ms': 2 }
const lengthMs = {
  none: () => 0,
  short: () => random() / 2,
  'few long': () => (chance(0.02) ? 20 : 0),
  'some long': () => (chance(0.2) ? 5 : 0.25),
  '2 ms': () => 2,
}

let nextId = 1
let settledCalls = 0

/** Submits one call of a round, and notes what comes of it. */
function submit(round, { call, size = 1 }, traces) {
  const id = nextId
  nextId += size
  const how = chance(round.throwing) && size === 1 ? 'throws' : chance(round.later) ? 'later' : 'value'
  const ms = lengthMs[round.lengths]()
  const made = { id, size, how, settled: 0, cancelled: false }
  const { result, cancel: drop } = call(id, { folder: traces, ms, how, atOnce: round.faults !== 'none' })
  made.over = Promise.resolve(result).then(
    (value) => {
      made.settled++
      settledCalls++
      made.value = value
    },
    (error) => {
      made.settled++
      settledCalls++
      made.error = error
    },
  )
  if (drop !== undefined && chance(round.cancelled)) {
    made.cancelled = true
    const afterMs = oneOf(0, 0, random() * 5, random() * 50)
    if (afterMs === 0) drop()
    else setTimeout(() => made.settled === 0 && drop(), afterMs)
  }
  return made
}

/** This process does nothing else for a while, now and then. */
function stall(round, share) {
  if (!round.stalls || !chance(share)) return
  for (const until = performance.now() + random() * 60; performance.now() < until;);
}

const patterns = {
  async all(round, next) {
    for (let i = 0; i < round.calls; i++) next()
  },
  async floods(round, next) {
    for (let flood = 0; flood < 8; flood++)
      await Promise.all(Array.from({ length: Math.ceil(round.calls / 4) }, () => next().over))
  },
  async bursts(round, next) {
    for (let left = round.calls; left > 0;) {
      for (let burst = Math.min(left, integer(1, 200)); burst > 0; burst--, left--) next()
      await sleep(random() * 10)
      stall(round, 0.3)
    }
  },
  async window(round, next) {
    const width = integer(1, 100)
    const open = new Set()
    for (let i = 0; i < round.calls; i++) {
      const { over } = next()
      open.add(over)
      void over.then(() => open.delete(over))
      if (open.size >= width) await Promise.race(open)
      stall(round, 0.02)
    }
  },
  async lanes(round, next) {
    let left = round.calls
    const lane = async () => {
      while (left-- > 0) await next().over
    }
    await Promise.all(Array.from({ length: integer(1, 8) }, lane))
  },
}

/** All runs, in the order of each worker: of which number, where, and when, in milliseconds since the round began. */
function runsIn(traces, begunAt) {
  return readdirSync(traces).map((name) => {
    const lines = readFileSync(join(traces, name), 'latin1').split('\n').slice(0, -1)
    return lines.map((line) => {
      const [id, at] = line.split(' ').map(Number)
      return { id, where: `pid ${parseInt(name)} at ${at - begunAt} ms` }
    })
  })
}

/** What is not as it has to be, in words. */
function problemsOf(round, { reruns = false, cancelsOthers = false, keepsOrder = false }, calls, runs) {
  const problems = []
  const times = new Map()
  for (const { id, where } of runs.flat()) times.set(id, [...(times.get(id) ?? []), where])
  const mayRunAgain = reruns && round.faults === 'kill'
  for (const { id, size, how, settled, cancelled, error, value } of calls) {
    if (settled !== 1) problems.push(`${id} settled ${settled} times`)
    for (let run = id; run < id + size; run++) {
      const where = times.get(run) ?? []
      times.delete(run)
      if (where.length > 1 && !mayRunAgain) problems.push(`${run} ran ${where.length} times: ${where.join(', ')}`)
      if (settled === 1 && error === undefined && where.length === 0) problems.push(`${run} succeeded and did not run`)
    }
    if (settled === 0) continue
    const expected = size * (2 * id + size - 1)
    if (error === undefined && (how === 'throws' || value !== expected)) problems.push(`${id} gave ${String(value)}`)
    const ofItself = how === 'throws' && error?.name === 'RangeError' && error.message === `no ${id}`
    const ofOthers = cancelled || (cancelsOthers && round.cancelled > 0) || round.faults === 'kill'
    if (error !== undefined && !ofItself && !ofOthers) problems.push(`${id} failed: ${error.name}: ${error.message}`)
  }
  for (const [id, where] of times) problems.push(`${id} ran, which is none of this round: ${where.join(', ')}`)
  const isQuiet = round.faults !== 'kill' && round.cancelled === 0
  if (keepsOrder && isQuiet) for (const ran of runs) problems.push(...disorderIn(ran))
  return problems
}

function disorderIn(ran) {
  const at = ran.findIndex(({ id }, i) => i > 0 && id < ran[i - 1].id)
  return at < 0 ? [] : [`${ran[at].id} began behind ${ran[at - 1].id}`]
}

/** What this process counts of its tasks. */
function counted() {
  const { retried, rebuilt, recalled, fenced } = explain()
  return { retried, rebuilt, recalled, fenced }
}

/** Where no worker is killed, no task may be begun a second time, whether or not anybody sees that. */
function problemsInCounts(round, counts) {
  if (round.faults === 'kill') return []
  return ['retried', 'rebuilt'].filter((name) => counts[name] > 0).map((name) => `${counts[name]} tasks were ${name}`)
}

async function play(number) {
  const round = drawRound()
  const room = (mostWorkMs * round.workers) / round.calls
  if (meanMs[round.lengths] > room) round.lengths = room > meanMs.short ? 'short' : 'none'
  const label = `round ${number}: ${JSON.stringify(round)}`
  const begunAt = Date.now()
  await say('begins', { label, begunAt, faults: round.faults })
  const traces = join(folder, `${seed}-${number}`)
  mkdirSync(traces)
  const countedBefore = counted()
  const startedAt = performance.now()
  const opened = packages[round.work](round)
  const calls = []
  const next = () => {
    const made = submit(round, opened, traces)
    calls.push(made)
    return made
  }
  const settled = patterns[round.submits](round, next).then(() => Promise.all(calls.map(({ over }) => over)))
  let over = false
  void settled.then(() => (over = true))
  for (let [waitedMs, before] = [0, 0]; !over && waitedMs < mostSilentMs; waitedMs += stepMs) {
    await Promise.race([settled, sleep(stepMs, undefined, { ref: false })])
    if (settledCalls > before) [waitedMs, before] = [0, settledCalls]
  }
  const elapsedMs = Math.round(performance.now() - startedAt)
  const look = () => problemsOf(round, opened, calls, runsIn(traces, begunAt))
  // What is written at the end of a turn is there behind the next one, whenever its worker comes to that.
  for (let waitedMs = 0; round.faults === 'none' && waitedMs < mostTraceMs; waitedMs += 30) {
    await sleep(30)
    if (look().length === 0) break
  }
  await opened.close?.()
  await say('settled')
  await told('quiet')
  const counts = Object.fromEntries(
    Object.entries(counted()).map(([name, count]) => [name, count - countedBefore[name]]),
  )
  const problems = [...look(), ...problemsInCounts(round, counts)]
  // A cancelled call that had begun may just now leave its trace.
  rmSync(traces, { recursive: true, maxRetries: 20 })
  const found = { problems: problems.slice(0, 10), count: problems.length, counts }
  await say('round', { label, elapsedMs, calls: calls.length, ...found })
}

await init(options.init ?? {})
for (let number = 0; number < rounds; number++) await play(number)
const left = await leftInTables(explain)
await shutdown()
await end({ left })
