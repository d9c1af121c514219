/** Functions that capture, in programs that are started in special ways; the first argument says which. */
import { init, remote, shutdown } from 'outpool'

const programs = {
  /** Changes of captures, each hidden from the analysis in its own way. */
  async check() {
    const counted = { hits: 0 }
    const log = new Map()
    const apply = (f, ...given) => f(...given)
    class Meter {
      value = 0
      add(n) {
        this.value += n
        return this.value
      }
    }
    const meter = new Meter()
    const rows = [{ n: 1 }]
    const nested = { deep: { list: [] } }
    const quiet = { n: 1 }
    const functions = {
      counted: (n) => (n === 1 ? counted : { hits: 0 }).hits++,
      log: (key) => apply((map) => map.set(key, 1).size, log),
      meter: (n) => meter.add(n),
      rows: () => rows.map((row) => ++row.n),
      nested: async () => {
        await Promise.resolve()
        return apply((value) => value.deep.list.push(1), nested)
      },
      quiet: () => apply((value) => value.n + 1, quiet),
    }
    for (const [name, fn] of Object.entries(functions)) console.log(name, await remote(fn).run(1))
  },
  /** May be lost, and is said once. */
  async warn() {
    const meter = {
      total: 0,
      add(n) {
        return (this.total += n)
      },
    }
    const add = remote((n) => meter.add(n))
    for (const n of [1, 2, 3]) console.log('sum', await add.run(n))
  },
  /** Functions among arguments and results. */
  async values() {
    const rate = 3
    let total = 0
    const each = remote((items, fn) => items.map((item) => fn(item)))
    console.log('argument', await each.run([1, 2], (x) => x * rate))
    const maker = remote((by) => (x) => x * by * rate)
    console.log('result', (await maker.run(2))(5))
    const same = remote((fn) => fn)
    const own = (x) => x + rate
    console.log('own', (await same.run(own)) === own)
    try {
      await each.run([1], (x) => (total += x))
    } catch (error) {
      console.log('refused', total, error.message)
    }
  },
  /** Where there is no inspector. */
  async plain() {
    const outer = 1
    console.log('plain', await remote((n) => n + 1).run(1))
    try {
      await remote((n) => n + outer).run(1)
    } catch (error) {
      console.log('refused', error.message)
    }
  },
  async captures() {
    let outer = 1
    class Box {
      constructor(v) {
        this.v = v
      }
    }
    const far = remote((n) => new Box(n + outer))
    const first = await far.run(1)
    outer = 10
    console.log('captures', first.v, first instanceof Box, (await far.run(1)).v)
  },
}

await init({ numCpus: 1 })
await programs[process.argv[2]]()
await shutdown()
