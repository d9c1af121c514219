/** Runs a package manager in a folder, on a node. */
import { spawn } from 'node:child_process'
import { lstat, readdir } from 'node:fs/promises'
import { delimiter, dirname, join } from 'node:path'
import { RuntimeEnvSetupError } from '../../base/errors.ts'
import type { Made } from './set-up.ts'

export interface InstallOrder {
  readonly command: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
}

/** How long an installation may take, in milliseconds; one that needs longer hangs. */
const timeoutMs = 15 * 60_000
/** What is kept of its output, for the error. */
const tailBytes = 4 * 1024

/** Resolves with what the folder holds then. Rejects with RuntimeEnvSetupError, with the last lines of the manager. */
export async function installPackages(folder: string, order: InstallOrder): Promise<Made> {
  const { code, tail } = await run(folder, order)
  if (code !== 0) {
    throw new RuntimeEnvSetupError(
      `${order.command} ${order.args.join(' ')} failed on this node (${code === null ? 'ended by a signal' : `exit code ${code}`}): ${tail.trim()}. ` +
        "The node needs the registry that the lockfile names; without one use runtimeEnv: { npm: 'vendor' }.",
      { details: { command: order.command, args: order.args, code } },
    )
  }
  return measure(folder)
}

function run(folder: string, { command, args, env }: InstallOrder): Promise<{ code: number | null; tail: string }> {
  return new Promise((resolve, reject) => {
    // npm lies beside the node that runs this, which need not be the first of the PATH, or in it.
    const path = [dirname(process.execPath), process.env['PATH'] ?? ''].join(delimiter)
    const child = spawn(command, args, {
      cwd: folder,
      env: { ...process.env, NODE_OPTIONS: '', ...env, PATH: path },
      stdio: ['ignore', 'pipe', 'pipe'],
      windowsHide: true,
      timeout: timeoutMs,
      killSignal: 'SIGKILL',
    })
    let tail = ''
    const keep = (chunk: Buffer): void => {
      tail = (tail + chunk.toString()).slice(-tailBytes)
    }
    child.stdout.on('data', keep)
    child.stderr.on('data', keep)
    child.once('error', (cause: NodeJS.ErrnoException) => {
      const missing = cause.code === 'ENOENT'
      const remedy = missing
        ? `This node has no ${command}: install it there, or use runtimeEnv: { npm: 'vendor' }.`
        : 'Look at the node.'
      reject(new RuntimeEnvSetupError(`${command} could not be started: ${cause.message}. ${remedy}`, { cause }))
    })
    child.once('close', (code) => resolve({ code, tail }))
  })
}

/** Counts the files below a folder; links are counted, not followed. */
async function measure(folder: string): Promise<Made> {
  let files = 0
  let bytes = 0
  const pending = [folder]
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    for (const entry of await readdir(next, { withFileTypes: true })) {
      const path = join(next, entry.name)
      if (entry.isDirectory()) pending.push(path)
      else {
        files++
        bytes += (await lstat(path)).size
      }
    }
  }
  return { files, bytes }
}
