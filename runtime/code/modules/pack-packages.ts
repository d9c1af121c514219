/** The packages that a module needs beside its own code, as `runtimeEnv.npm` says. */
import { dirname, join, relative, sep } from 'node:path'
import { RuntimeEnvSetupError } from '../../base/errors.ts'
import { defaultArchiveLimits, type ArchiveFile } from './archive.ts'
import { folderFiles } from './folder-files.ts'
import { findLockfile, installCommand, needsDevelopment } from './lockfile.ts'
import type { ArchivePart, NamedVersion, PackagesPart, PackOptions } from './manifest.ts'
import { packageRootOf } from './module-format.ts'
import { findPackage, type NpmPackage } from './npm-package.ts'
import { layOut, type PackageTree } from './package-tree.ts'
import { platformName } from './platform.ts'

/** `from`: the folder of the module that needs them. undefined where none is needed. */
export async function packPackages(
  needed: readonly NpmPackage[],
  from: string,
  { npm, installScripts }: PackOptions,
  archives: { add(files: readonly ArchiveFile[]): Promise<ArchivePart> },
): Promise<PackagesPart | undefined> {
  if (needed.length === 0) return undefined
  const names = needed.map(({ name, version }) => ({ name, version })).sort((a, b) => (a.name < b.name ? -1 : 1))
  if (npm === 'never') return { how: 'present', folder: nodeModulesOf(needed[0] as NpmPackage), names }
  if (npm === 'install') {
    const root = packageRootOf(join(from, 'module.js')) ?? from
    const lockfile = findLockfile(root)
    const development = needsDevelopment(
      root,
      names.map(({ name }) => name),
    )
    const command = installCommand({ manager: lockfile.manager, scripts: installScripts, development })
    const folder = relative(lockfile.folder, root).split(sep).join('/')
    return { how: 'install', archive: await archives.add(lockfile.files), ...command, folder, names }
  }
  // What a package needs goes with it, in the version that it finds here: `workerpool`, too, which code of one's own has
  // from the shim. Only this package is everywhere.
  const tree = layOut(needed, findPackage, ['outpool'])
  checkTree(tree)
  const native = tree.placed.some((placed) => placed.npm.native)
  const archive = await archives.add(await filesOf(tree))
  return { how: 'vendor', archive, platform: native ? platformName() : undefined, names: namesOf(tree) }
}

async function filesOf({ placed }: PackageTree): Promise<ArchiveFile[]> {
  const files: ArchiveFile[] = []
  let { maxBytes, maxFiles } = defaultArchiveLimits
  for (const { npm, path } of placed) {
    // A package is shipped as it is installed: what its own files are called is no business of ours.
    const own = await folderFiles(npm.folder, {
      include: ['*'],
      exclude: ['/node_modules'],
      limits: { maxBytes, maxFiles },
    })
    for (const file of own) {
      files.push({ ...file, path: `${path}/${file.path}` })
      maxBytes -= file.bytes.length
    }
    maxFiles -= own.length
  }
  return files
}

function namesOf({ placed }: PackageTree): NamedVersion[] {
  return placed
    .filter(({ path }) => !path.includes('/node_modules/'))
    .map(({ npm }) => ({ name: npm.name, version: npm.version }))
}

function checkTree({ missing, twice }: PackageTree): void {
  if (twice.length > 0)
    throw new RuntimeEnvSetupError(
      `the module and what it imports need ${twice.join(', ')} in two versions at the same place, which one folder cannot hold. ` +
        "Use one version, or runtimeEnv: { npm: 'install' }.",
      { details: { packages: twice } },
    )
  if (missing.length > 0)
    throw new RuntimeEnvSetupError(
      `packages cannot be shipped because some are not installed here: ${missing.join(', ')}. Run the install of your package manager.`,
      { details: { packages: missing } },
    )
}

/** The node_modules that a package lies in. */
function nodeModulesOf({ name, folder }: NpmPackage): string {
  return name.startsWith('@') ? dirname(dirname(folder)) : dirname(folder)
}
