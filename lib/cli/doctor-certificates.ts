/** What `outpool doctor` says of certificates that each process reads. */
import { spawnSync } from 'node:child_process'
import type { Finding } from './doctor-machine.ts'

const variable = 'NODE_EXTRA_CA_CERTS'
/** A start differs from the next one by less than this, if it is not too busy. Milliseconds. */
const manyMs = 15
const pairs = 3
/** From this one on Node reads them when they are needed. */
const lazySince = 22

type Start = (environment: NodeJS.ProcessEnv) => number

/**
 * Node 20 reads the certificates that the variable names whenever a process starts: for those of a whole system that is
 * as long as the rest of its start. Workers have the variable of their node.
 * @param start how many milliseconds a process with that environment takes.
 * @param node the version of Node.
 */
export function certificateFindings(
  environment: NodeJS.ProcessEnv = process.env,
  start: Start = startMs,
  node: string = process.versions.node,
): Finding[] {
  const file = environment[variable]
  if (file === undefined || file === '') return []
  const check = 'certificates'
  const found = `${variable} is ${file}`
  const ms = Number.parseInt(node, 10) < lazySince ? Math.round(readingMs(environment, start)) : 0
  if (ms < manyMs) return [{ check, state: 'ok', found, advice: '' }]
  const advice =
    `Each worker starts so much later: Node ${node} reads all of them at once, Node ${lazySince} and later do so when they ` +
    'are needed. Or name a file of just those that Node does not have.'
  return [{ check, state: 'warning', found: `${found}, which adds ${ms} ms to the start of a process`, advice }]
}

/** The real thing: processes with and without it, in turn; the fastest of each. */
function readingMs(environment: NodeJS.ProcessEnv, start: Start): number {
  const { [variable]: _, ...without } = environment
  let fastest = Infinity
  let fastestWithout = Infinity
  for (let i = 0; i < pairs; i++) {
    fastest = Math.min(fastest, start(environment))
    fastestWithout = Math.min(fastestWithout, start(without))
  }
  return Math.max(0, fastest - fastestWithout)
}

function startMs(env: NodeJS.ProcessEnv): number {
  const startedAt = performance.now()
  spawnSync(process.execPath, ['--eval', '0'], { env: { ...env, NODE_OPTIONS: '' }, stdio: 'ignore' })
  return performance.now() - startedAt
}
