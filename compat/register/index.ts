/**
 * `node --import outpool/register app.js` (or `--require`): the program's own imports of `workerpool`, `p-queue`,
 * `p-map` and `p-limit` lead to Outpool's shims, in all of its modules, packages and worker threads, and in the workers
 * that Outpool starts for it on any node. Nothing in the program changes. `OUTPOOL_SHIMS=workerpool,p-queue` selects; what
 * could not be mapped is said on stderr.
 */
import process from 'node:process'
import { isMainThread } from 'node:worker_threads'
import { preloadInWorkers } from '../../lib/worker-preloads.ts'
import { mapNames } from '../shared/map-names.ts'
import { selectShims } from '../shared/shim-names.ts'

const flag = /^(?:--?\w+=)?outpool\/register$|[\\/]compat[\\/]register[\\/]index\.[jt]s$/
const { shims, problems } = selectShims(process.env['OUTPOOL_SHIMS'])
// Threads of the program, and that of its loaders, have its flags, and so this module: it has told already.
const wasTold = !isMainThread && flags().some((word) => flag.test(word))
if (!wasTold) for (const problem of problems) console.error(`outpool: ${problem}`)
const names = shims.map(({ name }) => name)
// Workers and processes that inherit it do not tell it again.
if (problems.length > 0 && names.length > 0) process.env['OUTPOOL_SHIMS'] = names.join(',')
mapNames(names)
if (names.length > 0)
  preloadInWorkers(import.meta.url, {
    env: { OUTPOOL_SHIMS: names.join(',') },
    apart: names,
    flag,
  })

function flags(): string[] {
  return [...process.execArgv, ...(process.env['NODE_OPTIONS'] ?? '').split(/\s+/)]
}
