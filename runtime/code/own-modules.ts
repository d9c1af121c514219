/**
 * Modules of Outpool itself, which every node has, each in a folder of its own: they travel as `outpool:lib/x.js`,
 * seen from the root of the package's code.
 */

const scheme = 'outpool:'
/** The folder above `runtime/`, wherever this package is installed. */
const root = import.meta.url.replace(/(?:[^/]*\/){2}[^/]*$/, '')
const relativePath = /^[\w-]+(?:\/[\w.-]+)*\.[jt]s$/

/** The portable form of a module's URL: `outpool:...` for our own, any other as it is. */
export function portableUrl(href: string): string {
  if (!href.startsWith(root)) return href
  const path = href.slice(root.length)
  return isOwnPath(path) ? scheme + path : href
}

/** The URL to import here. */
export function localUrl(href: string): string {
  return href.startsWith(scheme) ? new URL(href.slice(scheme.length), root).href : href
}

export function isOwnModule(href: string): boolean {
  return href.startsWith(scheme) && isOwnPath(href.slice(scheme.length))
}

/** Whether it is a file of this package, also one that only its other files import. */
export function isOwnFile(href: string): boolean {
  return href.startsWith(root) && /^(?:lib|compat|runtime|chunks)\//.test(href.slice(root.length))
}

/** Only code of this package, by a plain path: nothing above its root. */
function isOwnPath(path: string): boolean {
  return relativePath.test(path) && !path.includes('..') && /^(?:lib|compat|runtime)\//.test(path)
}
