/** Runs `work(7)` of a module on the node that has the resource `other`, and prints what it answers. */
import { remote } from 'outpool'

const [module, runtimeEnv] = process.argv.slice(2)
const options = { resources: { other: 0.01 }, runtimeEnv: JSON.parse(runtimeEnv) }
console.log(JSON.stringify(await remote(new URL(module), 'work', options).run(7)))
