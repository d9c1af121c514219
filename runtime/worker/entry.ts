/** What a worker process runs: `node entry.js <run folder> <worker id>`. Everything else is in the folder's node.json. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { isProcessId } from '../base/ids.ts'
import { objectRefCodec } from '../owner/object-ref.ts'
import { chaosVariable } from '../transport/link-wrap.ts'
import { TokenFile } from '../transport/token-file.ts'
import type { TokenRing } from '../transport/tokens.ts'
import { startWorker } from './worker-process.ts'

const [runFolder = '', worker = ''] = process.argv.slice(2)
// User code sees the arguments of a program without any.
process.argv.splice(2)

interface Facts {
  readonly id: unknown
  readonly token: unknown
  readonly accepted: unknown
  readonly url: unknown
}

const nodeFile = join(runFolder, 'node.json')

function facts(): Facts {
  return JSON.parse(readFileSync(nodeFile, 'utf8')) as Facts
}

function tokens(): TokenRing {
  const { token, accepted } = facts()
  if (typeof token !== 'string' || !Array.isArray(accepted)) throw new Error(`there are no tokens in ${nodeFile}`)
  return { shown: token, accepted: accepted.map(String) }
}

const { id, url } = facts()
if (!isProcessId(id) || !isProcessId(worker))
  throw new Error(`not a worker of the node whose run folder is ${JSON.stringify(runFolder)}`)
const token = new TokenFile(nodeFile, tokens)
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
