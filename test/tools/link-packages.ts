/** The packages that a program of a test has installed. */
import { mkdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './tree.ts'

/** Links Outpool, as it is built, into the node_modules of `folder`; and `packages`, by what they are in ours. */
export function linkPackages(folder: string, packages: Readonly<Record<string, string>> = {}): void {
  const there = join(folder, 'node_modules')
  mkdirSync(there, { recursive: true })
  symlinkSync(root, join(there, 'outpool'))
  for (const [name, ours] of Object.entries(packages)) symlinkSync(join(root, 'node_modules', ours), join(there, name))
}
