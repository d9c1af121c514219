/** Runs `work(7)` of a module on the node that has the resource `other`, and prints what it answers. */
import { remote } from 'outpool'

const work = remote(new URL(process.argv[2]), 'work', { resources: { other: 0.01 } })
console.log(JSON.stringify(await work.run(7)))
