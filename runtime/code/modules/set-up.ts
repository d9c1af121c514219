/**
 * Makes a packed module importable on a node: its packages first, then its code beside them. Both are entries of the
 * node's cache, named by what they are made of, so that whatever was made once is there at once.
 */
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { RuntimeEnvSetupError } from '../../base/errors.ts'
import { installPackages } from './install.ts'
import type { ArchivePart, Manifest, NamedVersion, PackagesPart } from './manifest.ts'
import { readJson } from './npm-package.ts'
import { platformName } from './platform.ts'
import { unpackArchive } from './unpack.ts'

/** A worker loads both with its first pack. */
export { KnownPacks } from './known-packs.ts'

/** How much a folder holds. */
export interface Made {
  readonly files: number
  readonly bytes: number
}

/** What setting up needs of the worker that it runs in. */
export interface SetUpTools {
  /** The bytes of an archive, from who pushed it. */
  fetch(archive: ArchivePart): Promise<Uint8Array>
  /** The folder of an entry; `make` fills a new one, once per node, however many ask. */
  entry(key: string, make: (folder: string) => Promise<Made>): Promise<string>
}

export interface ReadyModule {
  /** Where the code is here. */
  readonly folder: string
  /** What to import; of a folder without a module, the folder. */
  readonly url: string
}

/** Rejects with RuntimeEnvSetupError. */
export async function setUpModule(manifest: Manifest, tools: SetUpTools): Promise<ReadyModule> {
  const { code, packages, entry } = manifest
  const modules = packages === undefined ? undefined : await setUpPackages(packages, manifest, tools)
  const key = modules === undefined ? code.id : keyOf([code.id, modules])
  const folder = await tools.entry(key, async (into) => {
    const made = await unpackArchive(await tools.fetch(code), into, { id: code.id })
    if (modules !== undefined) await symlink(modules, join(into, 'node_modules'), 'dir')
    return made
  })
  return { folder, url: pathToFileURL(join(folder, entry)).href }
}

/** The node_modules that the code sees. */
async function setUpPackages(part: PackagesPart, { origin }: Manifest, tools: SetUpTools): Promise<string> {
  switch (part.how) {
    case 'vendor': {
      checkPlatform(part, origin)
      const { archive } = part
      const make = async (into: string): Promise<Made> =>
        unpackArchive(await tools.fetch(archive), into, { id: archive.id })
      return join(await tools.entry(archive.id, make), 'node_modules')
    }
    case 'install': {
      const { archive, command, args, env, folder } = part
      const key = keyOf([archive.id, command, ...args, JSON.stringify(env), platformName()])
      const root = await tools.entry(key, async (into) => {
        await unpackArchive(await tools.fetch(archive), into, { id: archive.id })
        return installPackages(into, { command, args, env })
      })
      const own = join(root, folder, 'node_modules')
      return existsSync(own) ? own : join(root, 'node_modules')
    }
    case 'present':
      for (const named of part.names) checkPresent(part.folder, named, origin)
      return part.folder
  }
}

function checkPlatform({ platform, names }: PackagesPart & { how: 'vendor' }, origin: string): void {
  if (platform === undefined || platform === platformName()) return
  throw new RuntimeEnvSetupError(
    `${origin} uses packages with binaries (${names.map(({ name }) => name).join(', ')}) that were shipped from ${platform}; ` +
      `this node is ${platformName()}. Use runtimeEnv: { npm: 'install' }, or nodes of one kind.`,
    { details: { origin, shippedFrom: platform, node: platformName() } },
  )
}

function checkPresent(folder: string, { name, version }: NamedVersion, origin: string): void {
  const here = readJson(join(folder, name, 'package.json'))?.version
  if (here === version) return
  const found = typeof here === 'string' ? `has version ${here}` : 'does not have it'
  throw new RuntimeEnvSetupError(
    `${origin} needs ${name} ${version}, and this node ${found} in ${folder} (runtimeEnv.npm is 'never'). ` +
      "Install it there, or use npm: 'vendor' or 'install'.",
    { details: { origin, name, version, folder } },
  )
}

function keyOf(parts: readonly string[]): string {
  return createHash('sha256').update(parts.join('\0')).digest('hex').slice(0, 32)
}
