/**
 * Which installed packages are needed, and where they go: one `node_modules` in which every package finds the very
 * versions that it finds here, without links, whatever layout npm, pnpm or yarn gave it. Pure but for `find`.
 *
 * A package goes to the top when its name is free there or taken by itself, else below the one that needs it. The
 * direct dependencies of a package are placed before those of anything below it, so no later one can hide an earlier.
 */
import type { NpmPackage } from './npm-package.ts'

export interface PlacedPackage {
  readonly npm: NpmPackage
  /** `node_modules/a` or `node_modules/a/node_modules/b`. */
  readonly path: string
}

export interface PackageTree {
  readonly placed: readonly PlacedPackage[]
  /** What is needed and not installed: `name (needed by who)`. */
  readonly missing: readonly string[]
  /** Packages of which one folder cannot hold the versions that are needed. */
  readonly twice: readonly string[]
}

/** Circles of packages in several versions would be laid out without end. */
const maxDepth = 16
const maxPackages = 20_000

type Find = (name: string, from: string) => NpmPackage | undefined

/** `roots`: the packages that code names itself. `present`: names that every node has without being sent them. */
export function layOut(roots: readonly NpmPackage[], find: Find, present: readonly string[] = []): PackageTree {
  const at = new Map<string, NpmPackage>()
  const missing = new Set<string>()
  const twice = new Set<string>()
  const queue: PlacedPackage[] = []
  const place = (npm: NpmPackage, parent: string): void => {
    const path = pathFor(at, npm, parent)
    if (path === undefined) return
    if (at.size >= maxPackages || path.split('/node_modules/').length > maxDepth) return void twice.add(npm.name)
    at.set(path, npm)
    queue.push({ npm, path })
  }
  for (const root of roots) {
    const there = at.get(join('', root.name))
    if (there === undefined) place(root, '')
    else if (there.folder !== root.folder) twice.add(root.name)
  }
  const placed: PlacedPackage[] = []
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    placed.push(next)
    const { npm, path } = next
    for (const name of [...npm.dependencies, ...npm.optional]) {
      if (present.includes(name)) continue
      const found = find(name, npm.folder)
      if (found !== undefined) place({ ...found, name }, path)
      else if (npm.dependencies.includes(name)) missing.add(`${name} (needed by ${npm.name})`)
    }
  }
  return { placed, missing: [...missing], twice: [...twice] }
}

/** Where it has to go so that the package at `parent` finds it; undefined where it does already. */
function pathFor(at: ReadonlyMap<string, NpmPackage>, npm: NpmPackage, parent: string): string | undefined {
  for (let level = parent; ; level = above(level)) {
    const path = join(level, npm.name)
    const there = at.get(path)
    if (there !== undefined) {
      // The package at the parent's own place may be one of that name itself.
      return there.folder === npm.folder ? undefined : join(parent, npm.name)
    }
    if (level === '') return path
  }
}

function join(level: string, name: string): string {
  return `${level === '' ? '' : `${level}/`}node_modules/${name}`
}

function above(level: string): string {
  const at = level.lastIndexOf('/node_modules/')
  return at < 0 ? '' : level.slice(0, at)
}
