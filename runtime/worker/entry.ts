/** What a worker process runs: `node entry.js <run folder> <worker id>`. Everything else is in the folder's node.json. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { isProcessId } from '../base/ids.ts'
import { objectRefCodec } from '../owner/object-ref.ts'
import { chaosVariable } from '../transport/link-wrap.ts'
import { startWorker } from './worker-process.ts'

const [runFolder = '', worker = ''] = process.argv.slice(2)
// User code sees the arguments of a program without any.
process.argv.splice(2)

function facts(): { readonly id: unknown; readonly token: unknown; readonly url: unknown } {
  return JSON.parse(readFileSync(join(runFolder, 'node.json'), 'utf8')) as ReturnType<typeof facts>
}

const { id, token, url } = facts()
if (!isProcessId(id) || !isProcessId(worker) || typeof token !== 'string') {
  throw new Error(`not a worker of the node whose run folder is ${JSON.stringify(runFolder)}`)
}
const { env } = process
/** Before the first link. */
const prepared =
  env[chaosVariable] === '1'
    ? import('../transport/chaos.ts').then(({ allowChaos }) => void allowChaos())
    : Promise.resolve()
prepared
  .then(() => startWorker({ worker, node: id, runFolder, token, local: url === '', refCodec: objectRefCodec }))
  .catch((error: unknown) => {
    console.error(error)
    process.exit(1)
  })
