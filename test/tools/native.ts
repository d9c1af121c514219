/**
 * Whether memory can be shared between processes here: it takes Linux and `koffi`. Tests of what needs it are skipped
 * where it cannot; all others hold with files, and tasks that were sent ahead, which cannot be recalled then.
 */
import { nativeMemory } from '../../runtime/objects/native-memory.ts'

export const canShare: boolean = process.platform === 'linux' && nativeMemory() !== undefined

/** What a program wrote to stderr, without the line that says that its objects are in files: there it is right. */
export function withoutStoreLine(errors: string): string {
  return canShare ? errors : errors.replace(/^.*objects are kept in files: memory cannot be shared here.*\n?/m, '')
}
