/**
 * The tests as they are for who installed without optional packages: in a copy of this clone whose `koffi` has no
 * binary, so that loading it fails as it fails there. (An installation of the clone itself without optional packages has
 * no compiler either.)
 */
import { spawnSync } from 'node:child_process'
import { constants, cpSync, mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { root } from './tree.ts'

/** Left out of the copy: the binaries of koffi, and what the clone makes for itself. */
const leftOut = { clone: ['.git', '.cache', 'node_modules'], packages: ['.cache', '@koromix'] }
/** What loads native code, or does something else without it; and what must not need it. */
const suites = ['unit', 'fuzz', 'simulation', 'conformance', 'cluster', 'failure']

/** Runs these suites, or files, or all that matter; returns the exit code. */
export function testWithoutNative(wanted: readonly string[]): number {
  const folder = mkdtempSync(join(tmpdir(), 'without-native-'))
  try {
    copy(root, folder, leftOut.clone)
    copy(realpathSync(join(root, 'node_modules')), join(folder, 'node_modules'), leftOut.packages)
    const args = [join(folder, 'test/tools/run-tests.mjs'), ...(wanted.length > 0 ? wanted : suites)]
    return spawnSync(process.execPath, args, { cwd: folder, stdio: 'inherit' }).status ?? 1
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function copy(from: string, to: string, without: readonly string[]): void {
  const filter = (path: string): boolean => !without.includes(relative(from, path))
  cpSync(from, to, { recursive: true, verbatimSymlinks: true, mode: constants.COPYFILE_FICLONE, filter })
}
