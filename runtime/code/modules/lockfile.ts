/** Which package manager a folder's lockfile belongs to, what that needs to install again, and how it is called. */
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { RuntimeEnvSetupError } from '../../base/errors.ts'
import type { ArchiveFile } from './archive.ts'
import { readJson } from './npm-package.ts'

export type PackageManager = 'npm' | 'pnpm' | 'yarn' | 'yarn-berry'

export interface Lockfile {
  readonly manager: PackageManager
  /** Where it lies: the root of the project, or of its workspace. */
  readonly folder: string
  /** What the manager needs: the lockfile, and the package.json of each package of the workspace. */
  readonly files: readonly ArchiveFile[]
}

const managers: readonly (readonly [file: string, manager: PackageManager])[] = [
  ['npm-shrinkwrap.json', 'npm'],
  ['package-lock.json', 'npm'],
  ['pnpm-lock.yaml', 'pnpm'],
  ['yarn.lock', 'yarn'],
]

/** The lockfile at or above `folder`. Throws RuntimeEnvSetupError where there is none. */
export function findLockfile(folder: string): Lockfile {
  for (let at = folder; ; at = dirname(at)) {
    const known = managers.find(([file]) => existsSync(join(at, file)))
    if (known !== undefined && existsSync(join(at, 'package.json'))) return readLockfile(at, ...known)
    if (dirname(at) === at) break
  }
  throw new RuntimeEnvSetupError(
    `runtimeEnv.npm is 'install', and neither ${folder} nor a folder above it has a lockfile ` +
      `(${managers.map(([file]) => file).join(', ')}) beside a package.json. Make one, or use npm: 'vendor'.`,
    { details: { folder } },
  )
}

function readLockfile(folder: string, file: string, manager: PackageManager): Lockfile {
  const text = readFileSync(join(folder, file), 'utf8')
  const names = [
    file,
    'package.json',
    ...workspaces(manager, text, join(folder, file)).map((path) => `${path}/package.json`),
  ]
  if (manager === 'pnpm') names.push('pnpm-workspace.yaml')
  const files = names
    .filter((name) => existsSync(join(folder, name)))
    .map((path): ArchiveFile => ({ path, executable: false, bytes: readFileSync(join(folder, path)) }))
  return { manager: manager === 'yarn' && /^__metadata:/m.test(text) ? 'yarn-berry' : manager, folder, files }
}

/** The folders of the workspace's packages, as the lockfile lists them. */
function workspaces(manager: PackageManager, text: string, file: string): string[] {
  if (manager === 'npm') {
    const packages = npmPackages(text, file)
    return Object.keys(packages).filter(
      (path) => path !== '' && !path.startsWith('..') && !/(^|\/)node_modules\//.test(path),
    )
  }
  if (manager === 'pnpm') {
    const importers = /^importers:\n([\s\S]*?)^\S/m.exec(`${text}\n#`)?.[1] ?? ''
    return [...importers.matchAll(/^ {2}'?([^\s':]+)'?:/gm)]
      .map((match) => match[1] as string)
      .filter((path) => path !== '.' && !path.startsWith('..'))
  }
  return [...text.matchAll(/@workspace:([\w@./-]+)"?:?$/gm)]
    .map((match) => match[1] as string)
    .filter((path) => path !== '.')
}

function npmPackages(text: string, file: string): Record<string, unknown> {
  try {
    return (JSON.parse(text) as { packages?: Record<string, unknown> }).packages ?? {}
  } catch (cause) {
    throw new RuntimeEnvSetupError(`${file} is no JSON: ${(cause as Error).message}. Make it again with npm install.`, {
      cause,
    })
  }
}

/** Whether one of these packages is only a development dependency of the project. */
export function needsDevelopment(folder: string, names: readonly string[]): boolean {
  const json = readJson(join(folder, 'package.json')) as Record<string, Record<string, string> | undefined> | undefined
  const installed = ['dependencies', 'optionalDependencies', 'peerDependencies'].flatMap((key) =>
    Object.keys(json?.[key] ?? {}),
  )
  const development = Object.keys(json?.['devDependencies'] ?? {})
  return names.some((name) => development.includes(name) && !installed.includes(name))
}

export interface InstallChoice {
  readonly manager: PackageManager
  /** Whether packages may run their install scripts. */
  readonly scripts: boolean
  readonly development: boolean
}

/** The command that installs exactly what the lockfile says. Pure. */
export function installCommand({ manager, scripts, development }: InstallChoice): {
  readonly command: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
} {
  switch (manager) {
    case 'npm': {
      const args = ['ci', '--no-audit', '--no-fund', '--no-progress']
      if (!scripts) args.push('--ignore-scripts')
      if (!development) args.push('--omit=dev')
      return { command: 'npm', args, env: {} }
    }
    case 'pnpm': {
      const args = ['install', '--frozen-lockfile']
      if (!scripts) args.push('--ignore-scripts')
      if (!development) args.push('--prod')
      return { command: 'pnpm', args, env: { CI: '1' } }
    }
    case 'yarn': {
      const args = ['install', '--frozen-lockfile', '--non-interactive']
      if (!scripts) args.push('--ignore-scripts')
      if (!development) args.push('--production=true')
      return { command: 'yarn', args, env: {} }
    }
    case 'yarn-berry': {
      const env = { YARN_NODE_LINKER: 'node-modules', YARN_ENABLE_SCRIPTS: String(scripts), YARN_ENABLE_TELEMETRY: '0' }
      return { command: 'yarn', args: ['install', '--immutable'], env }
    }
  }
}
