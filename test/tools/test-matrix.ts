/**
 * `npm run test:matrix`: the table of captures (test/cluster/captures) on the Node releases that are supported. Their
 * binaries come from the registry, once, into node_modules/.cache.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { parseArgs } from 'node:util'
import { endCompiler, play, variants } from '../cluster/captures/variants.ts'
import { bootstrap } from './bootstrap.mjs'
import { root } from './tree.ts'
import { testWithoutNative } from './without-native.ts'

const majors = [20, 22, 24, 26]

const help = `npm run test:matrix -- [major ...]                               the table of captures on each release of Node
npm run test:matrix -- --suites [major ...] [suite or file ...]  the tests themselves
npm run test:matrix -- --without-native [suite or file ...]      the tests where koffi has no binary

Majors: ${majors.join(', ')}; all of them where none is named. Exit code 1: something failed; 2: no such option.`

const options = {
  suites: { type: 'boolean' },
  'without-native': { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const

function parse() {
  try {
    return parseArgs({ options, allowPositionals: true })
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${help}`)
    process.exit(2)
  }
}

/** The executable of the last release of a major. */
function nodeOf(major: number): string {
  const folder = join(root, 'node_modules/.cache', `node-${major}`)
  const name = `node-${process.platform}-${process.arch}`
  const executable = join(folder, 'node_modules', name, 'bin/node')
  if (existsSync(executable)) return executable
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'package.json'), '{ "private": true }\n')
  const args = ['install', '--no-save', '--no-audit', '--no-fund', '--ignore-scripts', `${name}@${major}`]
  execFileSync('npm', args, { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] })
  return executable
}

/** Runs suites, or files, or all, on each of the majors; returns how many of those failed. */
function testOn(releases: readonly number[], wanted: readonly string[]): number {
  const ended = releases.map((major) => {
    const node = nodeOf(major)
    console.log(`\n==== Node ${versionOf(node)}`)
    const env = { ...process.env, PATH: `${dirname(node)}${delimiter}${process.env['PATH'] ?? ''}` }
    const { status } = spawnSync(node, [join(root, 'test/tools/run-tests.mjs'), ...wanted], { env, stdio: 'inherit' })
    return { version: versionOf(node), passed: status === 0 }
  })
  console.log('\n==== all releases')
  for (const { version, passed } of ended) console.log(`${version.padEnd(10)} ${passed ? 'passed' : 'FAILED'}`)
  return ended.filter(({ passed }) => !passed).length
}

function versionOf(node: string): string {
  return execFileSync(node, ['--version'], { encoding: 'utf8' }).trim()
}

async function main(): Promise<void> {
  const { values, positionals } = parse()
  if (values.help === true) return console.log(help)
  await bootstrap()
  if (values['without-native'] === true) {
    process.exitCode = testWithoutNative(positionals)
    return
  }
  const named = positionals.filter((arg) => /^\d+$/.test(arg)).map(Number)
  const releases = named.length > 0 ? named : majors
  if (values.suites === true) {
    const wanted = positionals.filter((arg) => !/^\d+$/.test(arg))
    process.exitCode = testOn(releases, wanted) === 0 ? 0 : 1
    return
  }
  let failed = 0
  for (const major of releases) {
    const node = nodeOf(major)
    const version = versionOf(node)
    for (const [name, { from = 20 }] of Object.entries(variants)) {
      if (major < from) continue
      const { differs, whole, output } = await play(name, node)
      const isSame = whole !== undefined && differs.length === 0
      console.log(`${version.padEnd(10)} ${name.padEnd(28)} ${isSame ? `${whole}: all the same` : 'FAILED'}`)
      if (isSame) continue
      failed++
      console.log(differs.length > 0 ? differs.join('\n') : output.slice(-2000))
    }
  }
  await endCompiler()
  console.log(`${new Date().toISOString().slice(0, 10)}: ${failed === 0 ? 'all the same' : `${failed} failed`}`)
  process.exitCode = failed === 0 ? 0 : 1
}

await main()
