/** Where Node's permission model keeps a program from having workers. */
import { OutpoolError } from '../base/errors.ts'

/** Not every release has all of them. */
const bare = ['--allow-child-process', '--allow-worker', '--allow-addons', '--allow-net']

/** What went wrong, with the permissions to give where it was one that is missing: Node itself names none. */
export function saysPermissions(error: Error): Error {
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
    const { code, permission = '' } = cause as NodeJS.ErrnoException & { permission?: string }
    if (code !== 'ERR_ACCESS_DENIED') continue
    const known = process.allowedNodeEnvironmentFlags
    const flags = ['--allow-fs-read=*', '--allow-fs-write=*', ...bare.filter((flag) => known.has(flag))]
    const message =
      `workers cannot be started: Node's permission model is on, and refuses ${permission || 'what they need'}. Start the ` +
      `program with ${flags.join(' ')} as well`
    return new OutpoolError(message, { cause: error })
  }
  return error
}
