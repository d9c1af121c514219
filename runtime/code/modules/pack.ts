/**
 * Packs a module for nodes that have nothing of it:
 *
 *     file ── esbuild ──▶ bundle ─────────────────────────────────────┐
 *               │ no esbuild, not faithful, or a workingDir           ├─▶ manifest + archives
 *               └──▶ its folder, TypeScript compiled, ────────────────┤
 *                    and packages: vendor | install | never ──────────┘
 */
import { realpathSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, parse, relative, sep } from 'node:path'
import { RuntimeEnvSetupError } from '../../base/errors.ts'
import { homeFolder } from '../../base/home-folder.ts'
import { archiveId, writeArchive, type ArchiveFile } from './archive.ts'
import { bundleModule, type Bundled } from './bundle.ts'
import { compileFolder } from './compile-folder.ts'
import { withEsbuild, type Esbuild } from './esbuild.ts'
import { folderFiles } from './folder-files.ts'
import { extendedBy, provided, type ArchivePart, type Manifest, type PackOptions } from './manifest.ts'
import { compiledPath, isTypeScript, projectRootOf } from './module-format.ts'
import { findPackage, installedPackageOf, packageNameOf, readJson, type NpmPackage } from './npm-package.ts'
import { packPackages } from './pack-packages.ts'
import { staticImports } from './static-imports.ts'
import { compressArchive } from './unpack.ts'

export interface Packed {
  readonly manifest: Manifest
  /** The archives that the manifest names, compressed, by their ids. */
  readonly archives: ReadonlyMap<string, Uint8Array>
}

/** Collects the archives of one module. */
export class Archives {
  readonly all: Map<string, Uint8Array> = new Map()

  async add(files: readonly ArchiveFile[]): Promise<ArchivePart> {
    const pieces = writeArchive(files)
    const id = archiveId(pieces)
    let packed = this.all.get(id)
    if (packed === undefined) this.all.set(id, (packed = await compressArchive(pieces)))
    return { id, bytes: packed.length }
  }
}

/** Rejects with RuntimeEnvSetupError where it cannot be packed. `file`: an absolute path. */
export async function packModule(file: string, options: PackOptions): Promise<Packed> {
  const real = realpathSync(file)
  return withEsbuild(real, (tool) => packFile(file, real, options, tool))
}

async function packFile(file: string, real: string, options: PackOptions, tool: Esbuild | undefined): Promise<Packed> {
  const bundled = tool === undefined ? undefined : await bundleModule(tool, real, { provided, apart: options.apart })
  const { workingDir } = options
  const npm = installedPackageOf(real)
  const whole = npm === undefined || bundled?.external.every(({ folder }) => folder !== npm.folder)
  if (bundled?.kind === 'bundle' && workingDir === undefined && whole) return packBundle(real, bundled, options)
  if (npm !== undefined) return packPackage(real, npm, options)
  const root =
    workingDir !== undefined && isBelow(file, workingDir) ? workingDir : commonRoot(real, bundled?.files ?? [])
  return packTree(realpathSync(root), options, tool, { file: real, bundled })
}

async function packBundle(file: string, bundled: Bundled & { kind: 'bundle' }, options: PackOptions): Promise<Packed> {
  const archives = new Archives()
  const code = await archives.add(bundled.output)
  const packages = await packPackages(bundled.external, dirname(file), options, archives)
  const manifest: Manifest = { kind: 'bundle', code, entry: bundled.entry, origin: file, packages, reasons: [] }
  return { manifest, archives: archives.all }
}

/** A module of an installed package that cannot be bundled: the package as it is. */
async function packPackage(file: string, npm: NpmPackage, options: PackOptions): Promise<Packed> {
  const archives = new Archives()
  const code = await archives.add([])
  const project = npm.folder.slice(0, npm.folder.indexOf(`${sep}node_modules${sep}`))
  const packages = await packPackages([npm], project, options, archives)
  const entry = `node_modules/${npm.name}/${relative(npm.folder, file).split(sep).join('/')}`
  const reasons = [`${npm.name} cannot be part of a bundle`]
  return { manifest: { kind: 'folder', code, entry, origin: file, packages, reasons }, archives: archives.all }
}

interface Entry {
  readonly file: string
  readonly bundled: Bundled | undefined
}

/** Packs a folder as the working folder of functions. */
export async function packFolder(root: string, options: PackOptions): Promise<Packed> {
  if (statSync(root, { throwIfNoEntry: false })?.isDirectory() !== true)
    throw new RuntimeEnvSetupError(`runtimeEnv.workingDir names ${root}, which is no folder here. Name one that is.`)
  return withEsbuild(join(root, 'package.json'), (tool) => packTree(realpathSync(root), options, tool))
}

async function packTree(root: string, options: PackOptions, tool: Esbuild | undefined, entry?: Entry): Promise<Packed> {
  const found = await folderFiles(root, options)
  const path = entry === undefined ? undefined : relative(root, entry.file).split(sep).join('/')
  if (path !== undefined && !found.some((file) => file.path === path)) throw leftOut(root, path)
  const hasTypeScript = found.some((file) => isTypeScript(file.path))
  if (tool === undefined && path !== undefined && isTypeScript(path)) throw noEsbuild(join(root, path))
  const compiled = hasTypeScript && tool !== undefined
  const archives = new Archives()
  const code = await archives.add(compiled ? await compileFolder(tool, root, found, path) : found)
  const from = entry === undefined ? root : dirname(entry.file)
  const needed = await packagesOf(root, entry)
  const packages = await packPackages(needed, from, options, archives)
  const start = path === undefined ? '' : compiled ? compiledPath(path) : path
  const reasons = reasonsOf(entry, options)
  const manifest: Manifest = { kind: 'folder', code, entry: start, origin: entry?.file ?? root, packages, reasons }
  return { manifest, archives: archives.all }
}

/** What the reached files name, and what the package.json says, for what is only found at run time. */
async function packagesOf(root: string, entry: Entry | undefined): Promise<NpmPackage[]> {
  const needed = new Map<string, NpmPackage>()
  const add = (npm: NpmPackage | undefined): void => {
    if (npm !== undefined && !provided.includes(npm.name)) needed.set(npm.folder, npm)
  }
  for (const npm of entry?.bundled?.direct ?? []) add(npm)
  if (entry !== undefined && entry.bundled === undefined) {
    const { names } = await staticImports(entry.file)
    for (const [specifier, from] of names) {
      const name = extendedBy(specifier) ?? packageNameOf(specifier)
      if (name !== undefined) add(findPackage(name, from))
    }
  }
  const json = readJson(join(root, 'package.json'))
  for (const name of Object.keys({ ...json?.dependencies, ...json?.optionalDependencies })) {
    // A workspace's own packages are files of the program, not of node_modules.
    const npm = findPackage(name, root)
    if (npm !== undefined) add(npm)
  }
  return [...needed.values()]
}

function reasonsOf(entry: Entry | undefined, { workingDir }: PackOptions): string[] {
  if (workingDir !== undefined) return ['runtimeEnv.workingDir names a folder']
  if (entry?.bundled === undefined) return ['esbuild is not installed']
  return entry.bundled.kind === 'unfaithful' ? [...entry.bundled.reasons] : []
}

/** The project's folder; one above it where the module imports files from there by paths. */
function commonRoot(file: string, reached: readonly string[]): string {
  let root = projectRootOf(file)
  for (const other of reached) while (!isBelow(other, root) && isProjectFolder(dirname(root))) root = dirname(root)
  return root
}

/** Not a disk, nor everything of a user, nor a folder that others write to. */
function isProjectFolder(folder: string): boolean {
  const home = homeFolder()
  const others = home === undefined ? [] : [home, dirname(home)]
  return ![parse(folder).root, tmpdir(), ...others].includes(folder)
}

function isBelow(file: string, folder: string): boolean {
  return file.startsWith(folder.endsWith(sep) ? folder : folder + sep)
}

function leftOut(root: string, path: string): RuntimeEnvSetupError {
  return new RuntimeEnvSetupError(
    `${join(root, path)} is the module to run, and include or exclude of its runtimeEnv leave it out. Name it in include, or take it out of exclude.`,
    { details: { file: join(root, path) } },
  )
}

function noEsbuild(file: string): RuntimeEnvSetupError {
  return new RuntimeEnvSetupError(
    `${file} is TypeScript, and the nodes run JavaScript: outpool compiles it with esbuild, which is not installed. ` +
      'Install it beside outpool (npm install esbuild), or name a compiled file.',
    { details: { file } },
  )
}
