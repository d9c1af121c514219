/** What the system says where there is no room for what is written. */

const fullDisk = new Set(['ENOSPC', 'EDQUOT'])

/** Whether the disk (or the quota of the user) is full, or files of this process may not be that large. */
export function isNoRoom(error: unknown): boolean {
  const { code = '' } = error as NodeJS.ErrnoException
  return fullDisk.has(code) || isFileTooLarge(error)
}

/** Whether it is a limit on the size of files, not the disk. */
export function isFileTooLarge(error: unknown): boolean {
  return (error as NodeJS.ErrnoException | undefined)?.code === 'EFBIG'
}

/** Whether it is a disk that cannot be written to at all. */
export function isReadOnly(error: unknown): boolean {
  return (error as NodeJS.ErrnoException | undefined)?.code === 'EROFS'
}

/** Whether what was to be written has no place there, for whichever of these reasons. */
export function hasNoPlace(error: unknown): boolean {
  return isNoRoom(error) || isReadOnly(error)
}

export const fileLimitAdvice: string =
  'files of this process may not be that large: raise that limit (ulimit -f, LimitFSIZE= of the service)'
