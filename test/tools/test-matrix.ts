/**
 * `npm run test:matrix`: the table of captures (test/cluster/captures) on the Node releases that are supported. Their
 * binaries come from the registry, once, into node_modules/.cache.
 *
 * Usage: npm run test:matrix -- [major ...]
 *        npm run test:matrix -- --without-native [suite or file ...]   the tests where koffi has no binary
 */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { endCompiler, play, variants } from '../cluster/captures/variants.ts'
import { bootstrap } from './bootstrap.mjs'
import { root } from './tree.ts'
import { testWithoutNative } from './without-native.ts'

const majors = [20, 22, 24]

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

async function main(): Promise<void> {
  await bootstrap()
  const args = process.argv.slice(2)
  if (args[0] === '--without-native') {
    process.exitCode = testWithoutNative(args.slice(1))
    return
  }
  const wanted = args.map(Number)
  let failed = 0
  for (const major of wanted.length > 0 ? wanted : majors) {
    const node = nodeOf(major)
    const version = execFileSync(node, ['--version'], { encoding: 'utf8' }).trim()
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
