/** What a name means, seen from who imports it: the original, or its shim. Runs beside the program and in its loader thread. */
import { fileURLToPath } from 'node:url'
import { isSupported, packageOf, supportedVersions } from './original-package.ts'

/** The folder of this package's code: what is imported from there gets the originals. */
const ownRoot = new URL('../../', import.meta.url).href

/**
 * The URL of the shim that `name` leads to for the importer `parent`; undefined where it keeps its own meaning. Such a
 * shim's URL names the original that the importer would have got.
 *
 * @param resolve what the name means without registration: a URL. Throws where it means nothing, as `import` does.
 * @param report is told of a name that keeps its meaning though it was to be mapped.
 */
export function shimUrlFor(
  name: string,
  parent: string | undefined,
  resolve: () => string,
  report: (text: string) => void,
): string | undefined {
  if (parent?.startsWith(ownRoot) === true) return undefined
  const original = resolve()
  if (!original.startsWith('file:') || original.startsWith(ownRoot)) return undefined
  const file = fileURLToPath(original)
  const found = packageOf(file, name)
  // The shim already.
  if (found?.isAlias === true) return undefined
  // The package itself, that imports itself.
  if (
    found !== undefined &&
    parent?.startsWith('file:') === true &&
    packageOf(fileURLToPath(parent), name)?.folder === found.folder
  )
    return undefined
  if (found === undefined || !isSupported(name, found.version)) {
    const what = found === undefined ? file : `${name} ${found.version}`
    report(
      `'${name}' is not mapped: ${what} is installed, and the shim stands for ${name} ${supportedVersions(name)}. It stays what it is`,
    )
    return undefined
  }
  const shim = new URL(`../${name}/index.js`, import.meta.url)
  // workerpool's shim brings its own.
  if (name !== 'workerpool') shim.searchParams.set('original', original)
  return shim.href
}
