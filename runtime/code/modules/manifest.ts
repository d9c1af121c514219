/** What a packed module is, as its pusher tells a worker: which archives, and how they become a module again. */
import type { RefTuple } from '../../protocol/messages.ts'

/** An archive by its name; its bytes are an object of the pusher. */
export interface ArchivePart {
  readonly id: string
  /** As it travels. */
  readonly bytes: number
}

export interface NamedVersion {
  readonly name: string
  readonly version: string
}

/** The packages that are not part of the code. */
export type PackagesPart =
  /** Installed folders, as the pusher has them. `platform`: what they were made for, where there are binaries. */
  | {
      readonly how: 'vendor'
      readonly archive: ArchivePart
      readonly platform: string | undefined
      readonly names: readonly NamedVersion[]
    }
  /** A lockfile, and the command that obeys it. `folder`: where in the archive the code's own package.json lies. */
  | {
      readonly how: 'install'
      readonly archive: ArchivePart
      readonly command: string
      readonly args: readonly string[]
      readonly env: Readonly<Record<string, string>>
      readonly folder: string
      readonly names: readonly NamedVersion[]
    }
  /** They have to be on the node: in `folder`, the node_modules that the pusher has them in. */
  | { readonly how: 'present'; readonly folder: string; readonly names: readonly NamedVersion[] }

export interface Manifest {
  readonly kind: 'bundle' | 'folder'
  readonly code: ArchivePart
  /** The file to import, by its path in the archive; '' for a folder that no module was named of. */
  readonly entry: string
  /** What was packed, for messages: a file or a folder of the pusher. */
  readonly origin: string
  readonly packages: PackagesPart | undefined
  /** Why it is no bundle, in words; empty for a bundle. */
  readonly reasons: readonly string[]
}

/** How packages reach a node that has none: see `RuntimeEnv.npm`. */
export type NpmChoice = 'vendor' | 'install' | 'never'

export interface PackOptions {
  readonly npm: NpmChoice
  /** Whether `install` may run the install scripts of packages. */
  readonly installScripts: boolean
  /** The folder to ship instead of a bundle. */
  readonly workingDir: string | undefined
  readonly include: readonly string[] | undefined
  readonly exclude: readonly string[] | undefined
  /** Names of packages that stay packages of their own: in a worker they may mean something else than their files. */
  readonly apart: readonly string[]
}

export const defaultPackOptions: PackOptions = {
  npm: 'vendor',
  installScripts: false,
  workingDir: undefined,
  include: undefined,
  exclude: undefined,
  apart: [],
}

/**
 * Packages that code of one's own finds on every node, because this package is there: not shipped for it. A shim that
 * stands for a package in a worker provides that as well.
 */
export const provided: readonly string[] = ['outpool', 'workerpool']

/** The package that a module of ours extends, and that the program brings: `p-map` for `outpool/p-map`. */
export function extendedBy(specifier: string): string | undefined {
  return /^outpool\/(p-(?:queue|map|limit))$/.exec(specifier)?.[1]
}

/** The value of a pack: the manifest, and where the bytes of its archives are. */
export interface PackedManifest {
  readonly manifest: Manifest
  /** By the ids of the archives. */
  readonly archives: Readonly<Record<string, RefTuple>>
}
