/**
 * `node --import outpool/register app.js` (or `--require`): the program's own imports of `workerpool`, `p-queue`,
 * `p-map` and `p-limit` lead to Outpool's shims, in all of its modules, packages and worker threads. Nothing in the
 * program changes. `OUTPOOL_SHIMS=workerpool,p-queue` selects; what could not be mapped is said on stderr.
 */
import process from 'node:process'
import { mapNames } from '../shared/map-names.ts'
import { selectShims } from '../shared/shim-names.ts'

const { shims, problems } = selectShims(process.env['OUTPOOL_SHIMS'])
for (const problem of problems) console.error(`outpool: ${problem}`)
mapNames(shims.map(({ name }) => name))
