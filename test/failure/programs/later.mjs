/** Has a task have a task of its own, on other nodes, when a file is there. Options: folder, id, file, outer, inner. */
import { init, remote, shutdown } from 'outpool'
import { end, options } from './report.mjs'

const { folder, id, file, outer, inner } = options
await init()
const whereLater = remote(new URL('./tasks.mjs', import.meta.url), 'whereLater', outer)
const outcome = await whereLater
  .run(id, folder, file, inner)
  .catch((error) => ({ error: String(error?.stack ?? error) }))
await shutdown()
await end(outcome)
