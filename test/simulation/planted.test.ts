/**
 * Bugs that are planted on purpose, one per patch in `planted/`: each has to be found by one of the first thousand
 * seeds. The runtime and the simulation are bundled with the patch in them, and run in a process of their own. A patch
 * begins with the seed that found it last, which is tried first: where histories have changed since, it is another.
 */
import { execFile } from 'node:child_process'
import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect } from 'chai'
import { applyPatch, parsePatch } from 'diff'
import { build, type Plugin, stop } from 'esbuild'
import type { Finding } from './seeds.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
/** Patches, and what runs histories in which they are to be found. */
const simulations = [
  { patches: 'test/simulation/planted', run: 'test/simulation/run-seeds.ts' },
  { patches: 'test/simulation/peers/planted', run: 'test/simulation/peers/run-seeds.ts' },
  { patches: 'test/simulation/answers/planted', run: 'test/simulation/answers/run-seeds.ts' },
]
/** Below node_modules, so that what the runtime depends on is found from there. */
const folder = join(root, 'node_modules/.cache', `outpool-planted-${process.pid}`)
const seeds = 1_000

describe('the simulation, of a bug that was planted,', function () {
  this.timeout(0)

  after(async () => {
    await stop()
    rmSync(folder, { recursive: true, force: true })
  })

  const planted = simulations.flatMap(({ patches, run }) =>
    readdirSync(join(root, patches))
      .filter((file) => file.endsWith('.patch'))
      .map((name) => ({ name, path: join(root, patches, name), run })),
  )
  for (const { name, path, run } of planted) {
    it(`finds ${name.replace('.patch', '').replaceAll('-', ' ')}`, async () => {
      const text = readFileSync(path, 'utf8')
      const program = join(folder, `${name}.mjs`)
      await plant(text, run, program)
      const last = Number(/^Found by seed (\d+)/.exec(text)?.[1] ?? 1)
      expect(last).to.be.within(1, seeds)
      const finding = (await find(program, last, last)) ?? (await find(program, 1, seeds))
      if (finding !== null && finding.seed !== last)
        console.log(`        the patch says seed ${last}: it is another now`)
      expect(finding, `${name} was not found by ${seeds} seeds`).not.to.equal(null)
      // An accident of the patched code is no finding.
      expect(finding?.text).not.to.match(/^(Type|Reference|Range)Error/)
    })
  }
})

/** The program `run` in one file, with the bug in it. */
async function plant(text: string, run: string, outfile: string): Promise<void> {
  const patched = new Map<string, string>()
  for (const patch of parsePatch(text)) {
    const file = join(root, patch.newFileName?.replace(/^b\//, '') ?? '')
    const contents = applyPatch(patched.get(file) ?? readFileSync(file, 'utf8'), patch, { fuzzFactor: 1 })
    if (contents === false) throw new Error(`the patch does not apply to ${patch.newFileName} any more: make it anew`)
    patched.set(file, contents)
  }
  const unused = new Set(patched.keys())
  const planting: Plugin = {
    name: 'planting',
    setup: (bundler) =>
      bundler.onLoad({ filter: /\.ts$/ }, ({ path }) => {
        const contents = patched.get(path)
        unused.delete(path)
        return contents === undefined ? undefined : { contents, loader: 'ts' }
      }),
  }
  const form = { bundle: true, packages: 'external', platform: 'node', format: 'esm', target: 'node20' } as const
  await build({ ...form, entryPoints: [join(root, run)], outfile, keepNames: true, plugins: [planting] })
  expect([...unused], 'files of the patch that are not part of the simulation').to.deep.equal([])
}

/** The first finding of these seeds. */
async function find(program: string, from: number, to: number): Promise<Finding | null> {
  const args = [program, String(from), String(to)]
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: root, maxBuffer: 16 * 1024 * 1024 })
  const finding = JSON.parse(stdout) as Finding | null
  if (finding !== null) console.log(`        seed ${finding.seed}: ${finding.text.split('\n')[0]?.slice(0, 140)}`)
  return finding
}
