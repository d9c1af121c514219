import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { stop, transform } from 'esbuild'
import { linkPackages } from '../tools/link-packages.ts'

const source = readFileSync(new URL('./programs/decorated.mjs', import.meta.url), 'utf8')

interface TypeScript {
  transpileModule(text: string, options: { readonly compilerOptions: object }): { readonly outputText: string }
}
const typescript = createRequire(import.meta.url)('typescript-5.4') as TypeScript

function byTypeScript(target: string, isLegacy: boolean): string {
  const compilerOptions = { target, module: 'ES2022', experimentalDecorators: isLegacy }
  return typescript.transpileModule(source, { compilerOptions }).outputText
}

async function byEsbuild(isLegacy: boolean, keepNames: boolean): Promise<string> {
  const compilerOptions = { experimentalDecorators: isLegacy }
  const { code } = await transform(source, {
    loader: 'ts',
    target: 'node20',
    keepNames,
    tsconfigRaw: { compilerOptions },
  })
  return code
}

const compilers: Readonly<Record<string, (isLegacy: boolean) => string | Promise<string>>> = {
  'TypeScript for ES2022': (isLegacy) => byTypeScript('ES2022', isLegacy),
  'TypeScript for ES2017': (isLegacy) => byTypeScript('ES2017', isLegacy),
  esbuild: (isLegacy) => byEsbuild(isLegacy, false),
  'esbuild, which keeps names': (isLegacy) => byEsbuild(isLegacy, true),
}

describe('classes with decorators', function () {
  this.timeout(120_000)
  let folder: string

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'decorated-'))
    linkPackages(folder)
  })

  after(async () => {
    rmSync(folder, { recursive: true, force: true })
    await stop()
  })

  for (const [name, compile] of Object.entries(compilers)) {
    for (const kind of ['standard', 'legacy']) {
      it(`do in a worker what they do here: ${kind} ones, by ${name}`, async () => {
        const file = join(folder, `${name.replace(/\W+/g, '-')}-${kind}.mjs`)
        writeFileSync(file, await compile(kind === 'legacy'))
        const { NODE_OPTIONS: _options, ...env } = process.env
        const child = spawn(process.execPath, [file, kind], { cwd: folder, env, stdio: 'pipe' })
        let output = ''
        for (const stream of [child.stdout, child.stderr])
          stream.setEncoding('utf8').on('data', (text: string) => (output += text))
        await once(child, 'close')
        expect(output.match(/^(?:same|DIFFERS).*$/gm), output).deep.equal(['same 1', 'same 2'])
      })
    }
  }
})
