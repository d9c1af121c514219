/** Programs of users: a folder with a main file and the packages that they installed, run in a process of their own. */
import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { linkPackages } from '../tools/link-packages.ts'
import { withoutStoreLine } from '../tools/native.ts'

export interface ProgramOptions {
  /** What the program has in its node_modules, by what is in ours; Outpool itself is always there. */
  readonly packages?: Readonly<Record<string, string>>
  readonly files: Readonly<Record<string, string>>
  readonly node?: readonly string[]
  readonly main: string
  readonly env?: Readonly<Record<string, string>>
}

export interface ProgramResult {
  readonly stdout: string
  readonly stderr: string
  readonly code: number | null
}

export async function runProgram(options: ProgramOptions): Promise<ProgramResult> {
  const folder = mkdtempSync(join(tmpdir(), 'u-'))
  try {
    linkPackages(folder, options.packages)
    for (const [name, text] of Object.entries(options.files)) {
      mkdirSync(dirname(join(folder, name)), { recursive: true })
      writeFileSync(join(folder, name), text)
    }
    const child = spawn(process.execPath, [...(options.node ?? []), join(folder, options.main)], {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, NODE_OPTIONS: '', ...options.env },
    })
    let stdout = ''
    let stderr = ''
    child.stdout.on('data', (bytes: Buffer) => (stdout += bytes.toString()))
    child.stderr.on('data', (bytes: Buffer) => (stderr += bytes.toString()))
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once('error', reject)
      child.once('close', resolve)
    })
    return { stdout, stderr: withoutStoreLine(stderr), code }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
