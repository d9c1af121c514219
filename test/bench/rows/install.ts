import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { readText, root } from '../../tools/tree.ts'
import { Program } from '../program.ts'
import { most, type Row } from '../stage.ts'

interface LockedPackage {
  readonly dev?: boolean
}

/** Bytes of the files of a package, without the packages installed inside it and what its starts keep. */
function sizeOf(folder: string): number {
  return readdirSync(folder, { withFileTypes: true })
    .filter(({ name }) => name !== 'node_modules' && name !== '.compiled')
    .reduce((sum, entry) => {
      const path = join(folder, entry.name)
      return sum + (entry.isDirectory() ? sizeOf(path) : statSync(path).size)
    }, 0)
}

/** What `npm install outpool` brings to this platform, as the lock file has it; in million bytes. */
function installedMegabytes(): number {
  const { packages } = JSON.parse(readText('package-lock.json')) as { packages: Record<string, LockedPackage> }
  const folders = Object.entries(packages)
    .filter(([path, { dev }]) => path !== '' && dev !== true && existsSync(join(root, path)))
    .map(([path]) => path)
  return [...folders, 'dist'].reduce((sum, path) => sum + sizeOf(join(root, path)), 0) / 1e6
}

export const install: Row = {
  name: 'install',
  title: 'installed size, all dependencies',
  unit: 'MB',
  better: 'lower',
  budgetMs: 10_000,
  async play(stage) {
    const limit = 'limit'
    stage.sample('Outpool', 0, installedMegabytes())
    stage.sample(limit, 0, 40)
    stage.compare('Outpool', limit, most(1))
  },
}

export const load: Row = {
  name: 'import',
  title: "import 'outpool'",
  unit: 'ms',
  better: 'lower',
  budgetMs: 15_000,
  async play(stage) {
    const limit = 'limit'
    const measure = async (): Promise<number> => {
      const program = new Program({ name: 'Outpool', file: 'import-time.mjs', args: [] })
      try {
        return (await program.next(10_000)).value as number
      } finally {
        await program.close()
      }
    }
    const limitMs = 30
    await stage.inTurn(
      [
        { name: 'Outpool', measure },
        { name: limit, measure: () => Promise.resolve(limitMs) },
      ],
      stage.quick ? 3 : 9,
    )
    stage.compare('Outpool', limit, most(1))
  },
}
