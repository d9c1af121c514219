/** Asks where it runs, whenever it is told to. Options: address. */
import { init, remote, shutdown } from 'outpool'
import { end, options, say, told } from './report.mjs'

const { node } = await init({ address: options.address })
const where = remote(new URL('./tasks.mjs', import.meta.url), 'where', { maxRetries: -1 })
await say('joined', { node })
const leaving = told('leave').then(() => 'leave')
for (;;) {
  const asked = await Promise.race([told('ask'), leaving])
  if (asked === 'leave') break
  const answer = await where.run(1).catch((error) => ({ error: error.name, message: error.message }))
  await say('answer', answer)
}
await shutdown()
await Promise.resolve()
  .then(() => where.run(1))
  .catch((error) => say('answer', { error: error.name }))
await end({})
