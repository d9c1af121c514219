/** What a shim says that is installed under the name of the package that it extends. */

/** Node's, of an ES module that imports what asks for it by `require`. */
export function isCycle(error: unknown): boolean {
  return (error as NodeJS.ErrnoException | undefined)?.code === 'ERR_REQUIRE_CYCLE_MODULE'
}

export function leadsBack(name: string, file: string, cause?: unknown): Error {
  return new Error(
    `outpool/${name} extends the package ${name}, and ${file} leads back to outpool/${name}. Give that package the version ` +
      `0.0.0, so that npm installs the original for outpool as well; or leave the original in place, and start the ` +
      `program with --import outpool/register`,
    { cause },
  )
}
