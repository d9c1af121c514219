/** The repository as the style tests see it: the files that git knows or would know, and the tools of node_modules. */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root: string = fileURLToPath(new URL('../../', import.meta.url))

/** Paths of all files that are committed or could be, below the given folders. */
export function repositoryFiles(...folders: string[]): string[] {
  const options = ['ls-files', '--cached', '--others', '--exclude-standard', '-z', '--', ...folders]
  const { status, stdout, stderr } = spawnSync('git', options, { cwd: root, encoding: 'utf8' })
  if (status !== 0) throw new Error(`git ls-files failed: ${stderr}`)
  return stdout.split('\0').filter((path) => path !== '' && existsSync(join(root, path)))
}

export function readText(path: string): string {
  return readFileSync(join(root, path), 'utf8')
}

export interface ToolResult {
  readonly status: number | null
  readonly stdout: string
  readonly output: string
}

/** Runs Node with the given arguments to its end. */
export function runNode(
  args: readonly string[],
  options: { cwd?: string; env?: NodeJS.ProcessEnv; input?: string } = {},
): ToolResult {
  const { cwd = root, env = process.env, input } = options
  const { status, stdout, stderr, error } = spawnSync(process.execPath, args, {
    cwd,
    ...(input !== undefined && { input }),
    env: { ...env, NO_COLOR: '1', FORCE_COLOR: '0' },
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  })
  if (error) throw error
  return { status, stdout, output: `${stdout}${stderr}`.trim() }
}

/** The path of a file of an installed package. */
export function tool(path: string): string {
  return join(root, 'node_modules', path)
}
