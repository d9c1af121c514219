/** The command line of the main job. */
import { availableParallelism } from 'node:os'
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'

export const help = `Usage: npm start -- [options]

Runs one program three times over every file below a directory: on the original workerpool, on
outpool/workerpool (the import is the only difference) and with Pool.map of outpool/multiprocessing, the last two
on a cluster of three node managers that is started for it on this machine. Checks that all results are the same.

Options:
  --json         print one JSON object, as the last line of stdout; everything else goes to stderr
  --kill-node    kill one of the node managers, with its workers, half-way through Pool.map
  --dir PATH     the directory (default: node_modules of this project)
  --files N      only the first N files
  --help         print this

Examples:
  npm start
  npm start -- --kill-node
  npm start -- --json --files 1000

Exit codes: 0 all results are the same, 1 they are not or something failed, 2 wrong usage.
`

/** Throws TypeError for a wrong command line. */
export function readOptions(args) {
  const { values } = parseArgs({
    args,
    options: {
      json: { type: 'boolean', default: false },
      'kill-node': { type: 'boolean', default: false },
      dir: { type: 'string' },
      files: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.files !== undefined && !/^[1-9]\d*$/.test(values.files))
    throw new TypeError(`--files is a positive number, not ${values.files}`)
  const dir = values.dir === undefined ? [] : ['--dir', resolve(values.dir)]
  const files = values.files === undefined ? [] : ['--files', values.files]
  return {
    json: values.json,
    killNode: values['kill-node'],
    help: values.help,
    programArguments: [...dir, ...files],
  }
}

/** The CPUs of this machine dealt out to three nodes; each has one at least. */
export function shareCpus(cpus = availableParallelism()) {
  return [0, 1, 2].map((node) => Math.max(1, Math.floor((cpus + 2 - node) / 3)))
}
