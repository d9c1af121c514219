/**
 * Makes a fresh clone ready: installs what the lock file names and builds dist/, each only when something is missing or
 * changed. Plain Node with nothing to install, because it runs first. Everything it says goes to stderr.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, lstatSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { build, root } from './build.mjs'
import { withLock } from './lock.mjs'

const [major, minor] = process.versions.node.split('.').map(Number)

function requireNode() {
  if (major > 20 || (major === 20 && minor >= 19)) return
  throw new Error(`Outpool needs Node 20.19 or newer, this is ${process.version}; install it from https://nodejs.org`)
}

function lockedPackages(file) {
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')).packages : {}
}

/** The first locked package that is not installed in its locked version. npm keeps what it installed in a lock of its own. */
function firstMissing() {
  const installed = lockedPackages(join(root, 'node_modules/.package-lock.json'))
  for (const [path, { version, optional }] of Object.entries(lockedPackages(join(root, 'package-lock.json')))) {
    if (path === '') continue
    const isThere = existsSync(join(root, path, 'package.json'))
    // An optional package of another platform is rightly absent; one that is there must be the locked one.
    if (optional && !isThere) continue
    if (installed[path]?.version !== version || !isThere) return path
  }
  return undefined
}

function npmCommand() {
  const cli = process.env['npm_execpath']
  return cli !== undefined && /\.[cm]?js$/.test(cli) ? [process.execPath, cli] : ['npm']
}

async function install() {
  if (firstMissing() === undefined) return
  await withLock(join(root, '.cache/install.lock'), () => {
    const missing = firstMissing()
    if (missing === undefined) return
    // npm would delete the packages of the tree that it links to.
    if (lstatSync(join(root, 'node_modules'), { throwIfNoEntry: false })?.isSymbolicLink())
      throw new Error(
        `${missing} is missing or of another version, and node_modules is a link: install where it leads to`,
      )
    console.error(`installing: ${missing} is missing or of another version`)
    const [command, ...start] = npmCommand()
    // No package here needs its install script (all prebuilt), and development packages are needed whatever NODE_ENV is.
    const options = [
      'ci',
      '--ignore-scripts',
      '--no-audit',
      '--no-fund',
      '--include=dev',
      '--include=optional',
      '--loglevel=error',
    ]
    const { status, error } = spawnSync(command, [...start, ...options], { cwd: root, stdio: ['ignore', 2, 2] })
    if (error) throw error
    if (status !== 0) throw new Error(`npm ci failed with exit code ${status}, see above; mend that and start again`)
  })
}

/** Installs and builds what is missing. Rejects with the reason, for people, when that is not possible. */
export async function bootstrap() {
  requireNode()
  await install()
  await build({ ifChanged: true })
}
