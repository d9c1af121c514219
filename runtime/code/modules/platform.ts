/** What kind of machine this is, for files that were made for one kind. */
import { cLibrary } from '../../base/c-library.ts'

let known: string | undefined

/** Such as `linux-x64-glibc-node127`: system, processor, C library, and Node's binary interface. */
export function platformName(): string {
  known ??= [process.platform, process.arch, cLibrary(), `node${process.versions.modules}`].filter(Boolean).join('-')
  return known
}
