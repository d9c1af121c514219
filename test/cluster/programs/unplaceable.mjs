/** A task of a task that no node can take. Prints how that ends. */
import { init, remote, shutdown } from 'outpool'

if (process.env.OUTPOOL_ADDRESS === undefined) await init({ numCpus: 1, infeasibleTimeout: 3_500 })
const inner = remote((n) => n, { resources: { unicorn: 1 } })
const outer = remote((n) => inner.run(n))
await outer.run(1).catch((error) => console.log(error.code))
await shutdown()
