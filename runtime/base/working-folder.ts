import { parse } from 'node:path'

/** Of this process; the root where that folder has been removed, as those of old releases are. */
export function workingFolder(): string {
  try {
    return process.cwd()
  } catch {
    return parse(process.execPath).root
  }
}

/** That of this process when Outpool was loaded: where Node found the modules that its options name. */
export const startFolder: string = workingFolder()
