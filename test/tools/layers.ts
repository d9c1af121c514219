/**
 * The direction of imports: base <- protocol <- {transport, code, objects, scheduler} <- {owner, worker, node, control}
 * <- cluster <- lib <- compat. The linter bans each wrong direction per folder (.oxlintrc.json); this is the same rule as
 * data, from which the tests plant every wrong import, and with which they look at what the linter does not see:
 * `import()`, in code and in types.
 */
export const folders: readonly string[] = [
  'runtime/base',
  'runtime/protocol',
  'runtime/transport',
  'runtime/code',
  'runtime/objects',
  'runtime/scheduler',
  'runtime/owner',
  'runtime/worker',
  'runtime/node',
  'runtime/control',
  'runtime/cluster',
  'lib',
  'compat/shared',
  'compat/executor',
  'compat/multiprocessing',
  'compat/p-limit',
  'compat/p-map',
  'compat/p-queue',
  'compat/register',
  'compat/workerpool',
]

/** Folders of one rank do not import each other. */
const ranks: Readonly<Record<string, number>> = {
  'runtime/base': 0,
  'runtime/protocol': 1,
  'runtime/transport': 2,
  'runtime/code': 2,
  'runtime/objects': 2,
  'runtime/scheduler': 2,
  'runtime/owner': 3,
  'runtime/worker': 3,
  'runtime/node': 3,
  'runtime/control': 3,
  'runtime/cluster': 4,
  lib: 5,
}

/** Whether a file of the one folder may import a file of the other. */
export function mayImport(from: string, to: string): boolean {
  if (from === to) return true
  if (from.startsWith('compat/')) return to === 'lib' || to === 'compat/shared'
  if (from === 'runtime/worker' && to === 'runtime/owner') return true
  return (ranks[from] ?? -1) > (ranks[to] ?? Infinity)
}

/** The layer that a path below the root belongs to, such as `runtime/owner` or `lib`. */
export function folderOf(path: string): string {
  const [top = '', second = ''] = path.split('/')
  return top === 'runtime' || top === 'compat' ? `${top}/${second}` : top
}

const specifierPattern = /(?:\bfrom\s*|\bimport\s*\(?\s*|\brequire\(\s*)(['"])([^'"\n]+)\1/g

/** Every module that a source text names in an import of any form. */
export function importedSpecifiers(source: string): string[] {
  return [...source.matchAll(specifierPattern)].map((match) => match[2] ?? '')
}
