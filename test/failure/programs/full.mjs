/**
 * Fills CPUs with one long task each; then makes short calls, more at a time than CPUs, and tells where they ran, until
 * the test has seen enough. Options: cpus, ms.
 */
import { init, remote, shutdown } from 'outpool'
import { end, options, say, told } from './report.mjs'

const { cpus, ms } = options
await init()
const where = remote(new URL('./tasks.mjs', import.meta.url), 'where')
let over = false
void told('leave').then(() => (over = true))

await Promise.all(Array.from({ length: cpus }, () => where.run(ms)))
// By then the leases have been given back.
await new Promise((resolve) => setTimeout(resolve, 500))
while (!over) {
  const answers = await Promise.all(Array.from({ length: 40 }, () => where.run(20)))
  await say('seen', { nodes: [...new Set(answers.map(({ node }) => node))] })
}
await shutdown()
await end({})
