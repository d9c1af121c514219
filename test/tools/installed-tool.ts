/** A published tool with all that it depends on, installed once from the registry and kept in `.cache/`. */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { linkPackages } from './link-packages.ts'
import { root } from './tree.ts'

/**
 * The folder whose node_modules holds `name` in this version, and Outpool. Call it first in a `before`: where there is no
 * registry the tests are skipped by name, except on CI, where they fail.
 */
export function installedTool(context: Mocha.Context, name: string, version: string): string {
  const cache = join(root, '.cache/tools')
  const folder = join(cache, `${name.replace(/^@|\//g, (found) => (found === '/' ? '-' : ''))}-${version}`)
  if (existsSync(folder)) return folder
  mkdirSync(cache, { recursive: true })
  const made = mkdtempSync(`${folder}.`)
  writeFileSync(join(made, 'package.json'), JSON.stringify({ private: true }))
  const flags = ['--prefer-offline', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel', 'error']
  // A registry may be busy for a while.
  flags.push('--fetch-retries', '5')
  const { status, stderr } = spawnSync('npm', ['install', ...flags, `${name}@${version}`], {
    cwd: made,
    encoding: 'utf8',
    env: { ...process.env, NODE_OPTIONS: '', ...certificates() },
  })
  if (status === 0) {
    linkPackages(made)
    keepAs(folder, made)
    return folder
  }
  rmSync(made, { recursive: true, force: true })
  const message = `needs ${name}@${version} from a registry: ${stderr.trim().split('\n').at(0) ?? 'npm cannot be run'}`
  if (process.env['CI']) throw new Error(message)
  console.log(`      skipped: ${message}`)
  context.skip()
}

/** What npm needs where the registry is known by certificates of this machine: the suites have them by another name. */
function certificates(): NodeJS.ProcessEnv {
  const { OUTPOOL_TEST_CERTIFICATES: file } = process.env
  return file === undefined ? {} : { NODE_EXTRA_CA_CERTS: file }
}

/** Another suite may have been faster. */
function keepAs(folder: string, made: string): void {
  try {
    renameSync(made, folder)
  } catch (error) {
    if (!existsSync(folder)) throw error
    rmSync(made, { recursive: true, force: true })
  }
}
