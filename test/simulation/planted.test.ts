/**
 * Bugs that are planted on purpose, one per patch in `planted/`: each has to be found. A copy of the runtime and of the
 * simulation is patched and run in a process of its own.
 */
import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect } from 'chai'
import { applyPatch, parsePatch } from 'diff'
import type { Finding } from './seeds.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
/** Patches, and what runs histories in which they are to be found. */
const simulations = [
  { patches: 'test/simulation/planted', run: 'test/simulation/run-seeds.ts' },
  { patches: 'test/simulation/peers/planted', run: 'test/simulation/peers/run-seeds.ts' },
]
/** Below node_modules, so that what the runtime depends on is found from there. */
const folder = join(root, 'node_modules/.cache', `outpool-planted-${process.pid}`)
const seeds = 1_000

describe('the simulation, of a bug that was planted,', function () {
  this.timeout(0)

  after(() => rmSync(folder, { recursive: true, force: true }))

  const planted = simulations.flatMap(({ patches, run }) =>
    readdirSync(join(root, patches))
      .filter((file) => file.endsWith('.patch'))
      .map((name) => ({ name, path: join(root, patches, name), run })),
  )
  for (const { name, path, run } of planted) {
    it(`finds ${name.replace('.patch', '').replaceAll('-', ' ')}`, async () => {
      const copy = join(folder, name)
      plant(copy, readFileSync(path, 'utf8'))
      const finding = await find(copy, run)
      rmSync(copy, { recursive: true, force: true })
      expect(finding, `${name} was not found by ${seeds} seeds`).not.to.equal(null)
      // An accident of the patched code is no finding.
      expect(finding?.text).not.to.match(/^(Type|Reference|Range)Error/)
    })
  }
})

function plant(copy: string, text: string): void {
  mkdirSync(copy, { recursive: true })
  writeFileSync(join(copy, 'package.json'), '{ "type": "module" }')
  for (const part of ['runtime', 'test/simulation']) cpSync(join(root, part), join(copy, part), { recursive: true })
  for (const patch of parsePatch(text)) {
    const file = join(copy, patch.newFileName?.replace(/^b\//, '') ?? '')
    const patched = applyPatch(readFileSync(file, 'utf8'), patch, { fuzzFactor: 1 })
    if (patched === false) throw new Error(`the patch does not apply to ${patch.newFileName} any more: make it anew`)
    writeFileSync(file, patched)
  }
}

async function find(copy: string, run: string): Promise<Finding | null> {
  const args = ['--import', 'tsx', join(copy, run), '1', String(seeds)]
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: root, maxBuffer: 16 * 1024 * 1024 })
  const finding = JSON.parse(stdout) as Finding | null
  if (finding !== null) console.log(`        seed ${finding.seed}: ${finding.text.split('\n')[0]?.slice(0, 140)}`)
  return finding
}
