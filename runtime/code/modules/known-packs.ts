/**
 * The packs that a process has set up, by the places that their modules name: what its own tasks name by such a place is
 * there already, and in the version that runs. It is not packed again, and its files need not be here.
 */
import { realpathSync, statSync } from 'node:fs'
import { join, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { RefTuple } from '../../protocol/messages.ts'
import type { PackedManifest } from './manifest.ts'
import { compiledPath } from './module-format.ts'

/** A pack that there is, or another module of one, for which there is no object yet. */
export type KnownPack =
  { readonly kind: 'pack'; readonly ref: RefTuple } | { readonly kind: 'part'; readonly packed: PackedManifest }

interface SetUp {
  readonly ref: RefTuple
  readonly packed: PackedManifest
}

export class KnownPacks {
  /** By the file that was packed, where it was packed: what a bundle takes for its place. */
  readonly #byOrigin = new Map<string, SetUp>()
  /** By the folder that it was made in here: what files take for their place. */
  readonly #byFolder = new Map<string, SetUp>()

  /** `folder`: where it was made here. Of several with the same place, the last holds. */
  add(ref: RefTuple, packed: PackedManifest, folder: string): void {
    const { origin, entry } = packed.manifest
    if (entry !== '') this.#byOrigin.set(origin, { ref, packed })
    this.#byFolder.set(realpathSync(folder), { ref, packed })
  }

  /** Of the module at that URL; undefined where it came with none of them. */
  find(url: string): KnownPack | undefined {
    if (!url.startsWith('file:')) return undefined
    const file = fileURLToPath(url)
    const setUp = this.#byOrigin.get(file)
    if (setUp !== undefined) return packOf(setUp, setUp.packed.manifest.entry, file)
    for (const [folder, made] of this.#byFolder) {
      const entry = entryIn(folder, file)
      if (entry !== undefined) return packOf(made, entry, file)
    }
    return undefined
  }
}

/** The path of a module in a folder, of what it was compiled to where it is TypeScript; undefined where it is not there. */
function entryIn(folder: string, file: string): string | undefined {
  if (!file.startsWith(folder + sep)) return undefined
  const path = relative(folder, file).split(sep).join('/')
  const isFile = (each: string): boolean => statSync(join(folder, each), { throwIfNoEntry: false })?.isFile() === true
  return [compiledPath(path), path].find(isFile)
}

function packOf({ ref, packed }: SetUp, entry: string, file: string): KnownPack {
  const { manifest, archives } = packed
  const isSame = manifest.entry === entry
  // Only what is with its archives lives as long as they do.
  if (isSame && archives[manifest.code.id]?.[0] === ref[0]) return { kind: 'pack', ref }
  return { kind: 'part', packed: { manifest: { ...manifest, entry, ...(!isSame && { origin: file }) }, archives } }
}
