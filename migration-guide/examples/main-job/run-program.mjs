/** Runs one of the programs in a process of its own. */
import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const stderrKept = 4_000

/**
 * Resolves to what the program reports: `result` and `took` (milliseconds), and for `map` also `where`. Rejects with the
 * end of its stderr when it fails. `onMessage` gets everything that it says on its way.
 */
export function runProgram(name, { args, environment, signal, onMessage }) {
  const program = fileURLToPath(new URL(`../file-facts/${name}.mjs`, import.meta.url))
  return new Promise((resolve, reject) => {
    const child = fork(program, args, { env: environment, stdio: ['ignore', 'inherit', 'pipe', 'ipc'], signal })
    let report
    let stderr = ''
    child.stderr.setEncoding('utf8').on('data', (text) => {
      stderr = (stderr + text).slice(-stderrKept)
    })
    child.on('message', (message) => {
      if (message.kind === 'result') report = message
      onMessage(message)
    })
    child.once('error', reject)
    child.once('close', (code, ended) => {
      const how = ended ?? `exit code ${code}`
      if (code === 0 && report !== undefined) resolve(report)
      else reject(new Error(`${name}.mjs ended with ${how} and no result\n${stderr}`.trim()))
    })
  })
}
