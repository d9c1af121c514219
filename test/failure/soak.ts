/**
 * `npm run soak -- NAME ...`: the failure tests in full length. Each soak prints how it goes on, what it found, and
 * what it had to find; one that found something else makes the command end with exit code 1.
 */
import { mkdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { parseArgs } from 'node:util'
import { bootstrap } from '../tools/bootstrap.mjs'
import { FailureCluster } from './support.ts'
import { within } from './within.ts'
import type { Soak } from './soaks/soak.ts'

type Soaks = Readonly<Record<string, Soak>>

/** How long, with which seed, and how many of them: the soaks that have such a choice read it from the environment. */
const choices = { seconds: 'OUTPOOL_SOAK_SECONDS', seed: 'OUTPOOL_SEED', seeds: 'OUTPOOL_SEEDS' } as const

const usage = (soaks: Soaks): string => `Usage: npm run soak -- NAME ... [--seconds N] [--seed N] [--seeds N]

${Object.entries(soaks)
  .map(([name, { title }]) => `  ${name.padEnd(17)}${title}`)
  .join('\n')}
  ${'all'.padEnd(17)}every one of them, one after the other

  --seconds N     how long chaos and mixed last (default 1800 and 600)
  --seed N        of their plan (default: a new one, which is printed)
  --seeds N       so many histories of the simulation (default 10000)
`

/** What was started is given so long to end, in milliseconds: what it found is told in any case. */
const closeMs = 60_000

/** Adds the findings of one soak. `keepIn`: where logs go that say something of one. */
async function runOne(soaks: Soaks, name: string, keepIn: string, problems: string[]): Promise<void> {
  const soak = soaks[name]
  if (soak === undefined) throw new Error(`there is no soak '${name}'\n\n${usage(soaks)}`)
  console.log(`== ${name}: ${soak.title}`)
  const startedAt = performance.now()
  const cluster = new FailureCluster()
  const before = problems.length
  const report = {
    note: (text: string): void =>
      console.log(`  ${((performance.now() - startedAt) / 1000).toFixed(1).padStart(7)} s  ${text}`),
    check: (text: string, holds: boolean): void => {
      console.log(`  ${holds ? 'ok      ' : 'WRONG   '} ${text}`)
      if (!holds) problems.push(`${name}: ${text}`)
    },
    keepIn,
  }
  try {
    await soak.run(cluster, report)
  } catch (error) {
    problems.push(`${name}: ${(error as Error).stack ?? String(error)}`)
  }
  try {
    await within(
      closeMs,
      () => cluster.close(),
      () => `the end of ${cluster.leftOver().join(', ')}; what is left is killed`,
    )
  } catch (error) {
    problems.push(`${name}: ${(error as Error).message}`)
    cluster.kill()
  }
  console.log(`  ${((performance.now() - startedAt) / 1000).toFixed(1)} s in all, ${problems.length - before} wrong`)
}

/** A signal that comes again so soon is the same one: npm hands on what this process has got with its whole group. */
const sameSignalMs = 1_000

/** Whoever started this has no patience any more: what is known by then is told. With a second signal nothing is. */
function endOnSignals(problems: readonly string[], folder: string): void {
  let firstAt: number | undefined
  const end = (signal: string): void => {
    if (firstAt === undefined) {
      firstAt = performance.now()
      void endedEarly(signal, problems, folder)
    } else if (performance.now() - firstAt > sameSignalMs) leave(folder)
  }
  for (const name of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(name, end)
}

function leave(folder: string): never {
  for (const cluster of FailureCluster.open) cluster.kill()
  rmSync(folder, { recursive: true, force: true })
  process.exit(1)
}

async function endedEarly(signal: string, problems: readonly string[], folder: string): Promise<void> {
  console.log(`\nended by ${signal}, while this stood so:`)
  for (const cluster of FailureCluster.open) console.log(await cluster.stand())
  console.log(`\n${[...problems, `ended by ${signal} before all was done`].join('\n')}`)
  leave(folder)
}

async function main(args: readonly string[]): Promise<void> {
  await bootstrap()
  // Some of them load dist/, which is there only now.
  const { soaks } = await import('./soaks/index.ts')
  const number = { type: 'string' } as const
  const options = { help: { type: 'boolean' }, seconds: number, seed: number, seeds: number } as const
  const { positionals: names, values } = parseArgs({ args: [...args], options, allowPositionals: true })
  if (names.length === 0 || values.help) return console.log(usage(soaks))
  for (const [name, variable] of Object.entries(choices)) {
    const value = values[name as keyof typeof choices]
    if (value === undefined) continue
    if (!/^\d+$/.test(value)) throw new Error(`--${name} is a whole number, not '${value}'\n\n${usage(soaks)}`)
    process.env[variable] = value
  }
  const keepIn = join(tmpdir(), `soak-${process.pid}-kept`)
  // Everything temporary lives in one folder with a short path: sockets in it may have 107 bytes.
  const folder = join(tmpdir(), `soak-${process.pid}`)
  mkdirSync(folder, { mode: 0o700 })
  process.env['TMPDIR'] = folder
  const problems: string[] = []
  endOnSignals(problems, folder)
  try {
    for (const name of names.includes('all') ? Object.keys(soaks) : names) {
      await runOne(soaks, name, keepIn, problems)
    }
    console.log(problems.length === 0 ? '\nall as it has to be' : `\n${problems.join('\n')}`)
    if (problems.length > 0) process.exitCode = 1
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

main(process.argv.slice(2))
  .catch((error: unknown) => {
    console.error((error as Error).message)
    process.exitCode = 1
  })
  // What never came may still be looked for.
  .finally(() => process.exit())
