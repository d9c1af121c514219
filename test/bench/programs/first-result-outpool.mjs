import { remote, shutdown } from 'outpool'
import { sayOnce } from './serve.mjs'

const add = remote((a, b) => a + b)
sayOnce(await add.run(1, 2))
await shutdown()
