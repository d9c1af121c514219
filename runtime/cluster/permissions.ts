/** Where Node's permission model keeps a program from having workers. */
import { OutpoolError } from '../base/errors.ts'

/** What went wrong, with the permissions to give where it was one that is missing: Node itself names none. */
export function saysPermissions(error: Error): Error {
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
    const { code, permission = '' } = cause as NodeJS.ErrnoException & { permission?: string }
    if (code !== 'ERR_ACCESS_DENIED') continue
    const message =
      `workers cannot be started: Node's permission model is on, and refuses ${permission || 'what they need'}. Start the ` +
      'program with --allow-fs-read=*, --allow-fs-write=*, --allow-child-process, --allow-worker and --allow-addons as well'
    return new OutpoolError(message, { cause: error })
  }
  return error
}
