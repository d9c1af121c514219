/** Processes that do not see a folder, as those of another machine would not: in a mount namespace of their own. */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** Mounts an empty folder over the first argument, then becomes the rest of them. */
export const hideFolder: readonly string[] = ['sh', '-c', 'mount -t tmpfs none "$1" && shift && exec "$@"', 'sh']

/** Whether a command that begins so may mount. */
export function mayMount(unshare: readonly string[]): boolean {
  const [command, ...args] = [...unshare, 'mount', '-t', 'tmpfs', 'none', '/mnt']
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0
}

const tests = fileURLToPath(new URL('../', import.meta.url))
let found: readonly string[] | undefined

/**
 * What goes in front of a command so that it sees no program of these tests: what its workers run has to come from the
 * program. Nothing for whoever is not root: as another user than the test's it would have other folders.
 */
export function withoutPrograms(): readonly string[] {
  const unshare = ['unshare', '-m']
  return (found ??= process.getuid?.() === 0 && mayMount(unshare) ? [...unshare, ...hideFolder, tests] : [])
}
