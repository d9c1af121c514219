/** The files of a folder that travel: all but what is never wanted elsewhere, within limits that a person chose. */
import { constants } from 'node:fs'
import { open, readdir, realpath, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { RuntimeEnvSetupError } from '../../base/errors.ts'
import { defaultArchiveLimits, whyUnsafe, type ArchiveFile, type ArchiveLimits } from './archive.ts'
import { matcher } from './globs.ts'

/** Never shipped unless `include` names it: packages travel on their own, and secrets stay where they are. */
export const neverShipped: readonly string[] = [
  'node_modules',
  '.git',
  '.hg',
  '.svn',
  '.DS_Store',
  '.env',
  '.env.*',
  '.npmrc',
  '.yarnrc',
  '.yarnrc.yml',
  '.ssh',
  '.aws',
  '*.pem',
]

export interface FolderOptions {
  /** Only these; a package.json on the way to them comes along. Default: everything. */
  readonly include?: readonly string[] | undefined
  /** Not these, in addition to what is never shipped. */
  readonly exclude?: readonly string[] | undefined
  readonly limits?: ArchiveLimits | undefined
}

interface Walk {
  readonly root: string
  readonly wanted: (path: string) => boolean
  readonly skipped: (path: string) => boolean
  readonly limits: ArchiveLimits
  readonly files: ArchiveFile[]
  /** Bytes by the first part of the path, for a person who has to find out what is so large. */
  readonly bytesOf: Map<string, number>
  bytes: number
}

/**
 * Reads the files below `root`. Links are followed, as the program follows them; one that leads into a folder above
 * itself is left out.
 * Rejects with RuntimeEnvSetupError, which names the largest parts, where they are more than the limits allow.
 */
export async function folderFiles(root: string, options: FolderOptions = {}): Promise<ArchiveFile[]> {
  const { include = [], exclude = [], limits = defaultArchiveLimits } = options
  const never = matcher(neverShipped)
  const included = matcher(include)
  const excluded = matcher(exclude)
  const walk: Walk = {
    root,
    wanted: (path) =>
      include.length === 0 || included(path) || path === 'package.json' || path.endsWith('/package.json'),
    skipped: (path) => excluded(path) || (never(path) && !included(path)),
    limits,
    files: [],
    bytesOf: new Map(),
    bytes: 0,
  }
  await visit(walk, '', [await realpath(root)])
  return walk.files
}

async function visit(walk: Walk, folder: string, above: readonly string[]): Promise<void> {
  const entries = await readdir(join(walk.root, folder), { withFileTypes: true })
  for (const entry of entries) {
    const path = folder === '' ? entry.name : `${folder}/${entry.name}`
    if (walk.skipped(path) || whyUnsafe(path) !== undefined) continue
    if (entry.isFile()) await add(walk, path)
    else if (entry.isDirectory()) await visit(walk, path, above)
    else if (entry.isSymbolicLink()) await follow(walk, path, above)
    // Sockets, pipes and devices are nothing that could be elsewhere.
  }
}

async function follow(walk: Walk, path: string, above: readonly string[]): Promise<void> {
  const full = join(walk.root, path)
  const facts = await stat(full).catch(() => undefined)
  if (facts?.isFile()) return add(walk, path)
  if (facts?.isDirectory() !== true) return
  const real = await realpath(full)
  if (above.some((other) => other === real || other.startsWith(`${real}/`))) return
  await visit(walk, path, [...above, real])
}

async function add(walk: Walk, path: string): Promise<void> {
  if (!walk.wanted(path)) return
  const { limits } = walk
  // Read through one descriptor: what is looked at is what is read, and a pipe in its place does not hold us up.
  const file = await open(join(walk.root, path), constants.O_RDONLY | constants.O_NONBLOCK)
  try {
    const facts = await file.stat()
    if (!facts.isFile()) return
    walk.bytes += facts.size
    const first = path.split('/')[0] as string
    walk.bytesOf.set(first, (walk.bytesOf.get(first) ?? 0) + facts.size)
    if (walk.bytes > limits.maxBytes || walk.files.length >= limits.maxFiles) throw tooMuch(walk)
    walk.files.push({ path, executable: (facts.mode & 0o100) !== 0, bytes: await file.readFile() })
  } finally {
    await file.close()
  }
}

function tooMuch({ root, limits, files, bytes, bytesOf }: Walk): RuntimeEnvSetupError {
  const largest = [...bytesOf]
    .sort((a, b) => b[1] - a[1])
    .slice(0, 5)
    .map(([name, size]) => `${name} (${Math.ceil(size / 1024)} KiB)`)
  return new RuntimeEnvSetupError(
    `the folder ${root} is too large to be shipped: more than ${files.length} files with ${bytes} bytes were found, ` +
      `${limits.maxFiles} files and ${limits.maxBytes} bytes are allowed. The largest parts so far: ${largest.join(', ')}. ` +
      `Leave out what the function does not need with runtimeEnv: { exclude: [...] }, or name what it needs with include.`,
    { details: { folder: root, files: files.length, bytes } },
  )
}
