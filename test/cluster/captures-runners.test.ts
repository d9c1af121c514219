import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'

const root = fileURLToPath(new URL('../../', import.meta.url))

/** A test of the program's own, in the words that all three runners know. */
const smoke = `
const rate = 3
let base = 1
class Box {
  constructor(v) {
    this.v = v
  }
}
const helper = (x) => x * rate
test('captures travel', async () => {
  await init({ numCpus: 1, logToDriver: false })
  try {
    const far = remote((x) => new Box(helper(x) + base))
    const first = await far.run(2)
    if (first.v !== 7 || !(first instanceof Box)) throw new Error('the first call was wrong')
    base = 10
    if ((await far.run(2)).v !== 16) throw new Error('the second call was wrong')
  } finally {
    await shutdown()
  }
}, 60_000)
`

interface Runner {
  readonly install?: string
  readonly file: string
  readonly text: string
  readonly args: (binary: string) => readonly string[]
  readonly binary: string
  readonly env?: Readonly<Record<string, string>>
  readonly passed: RegExp
}

const outpool = "import { init, remote, shutdown } from 'outpool'\n"

const runners: Readonly<Record<string, Runner>> = {
  mocha: {
    file: 'smoke.mjs',
    text: `${outpool}const test = it${smoke.replace('}, 60_000)', '}).timeout(60_000)')}`,
    binary: createRequire(import.meta.url).resolve('mocha/bin/mocha.js'),
    args: (binary) => [binary, 'smoke.mjs'],
    passed: /1 passing/,
  },
  vitest: {
    install: 'vitest@3',
    file: 'smoke.test.mjs',
    text: `${outpool}import { test } from 'vitest'\n${smoke}`,
    binary: 'vitest/vitest.mjs',
    args: (binary) => [binary, 'run', '--no-color'],
    passed: /Tests {2}1 passed/,
  },
  jest: {
    install: 'jest@29',
    file: 'smoke.test.mjs',
    text: `${outpool}${smoke}`,
    binary: 'jest/bin/jest.js',
    args: (binary) => [binary, '--colors=false', '--cacheDirectory', 'cache', '--config', jestOptions],
    env: { NODE_OPTIONS: '--experimental-vm-modules' },
    passed: /Tests: +1 passed/,
  },
}

const jestOptions = JSON.stringify({
  testEnvironment: 'node',
  testMatch: ['**/*.mjs'],
  moduleFileExtensions: ['mjs', 'js', 'json', 'node'],
  transform: {},
})

interface Outcome {
  readonly code: number
  readonly output: string
}

function run(
  command: string,
  args: readonly string[],
  cwd: string,
  more: Readonly<Record<string, string>> = {},
): Promise<Outcome> {
  const { NODE_OPTIONS: _options, ...env } = process.env
  return new Promise((resolve) => {
    execFile(command, args, { cwd, env: { ...env, ...more }, timeout: 120_000 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : 1, output: stdout + stderr })
    })
  })
}

describe('functions that capture, in the tests of a program', function () {
  this.timeout(240_000)

  for (const [name, runner] of Object.entries(runners)) {
    it(`travel under ${name}`, async function () {
      const folder = mkdtempSync(join(tmpdir(), 'runner-'))
      try {
        writeFileSync(join(folder, 'package.json'), '{ "private": true, "type": "module" }\n')
        if (runner.install !== undefined) {
          // They are large, and nothing else needs them: installed for this test, where there is a registry.
          const args = ['install', '--no-audit', '--no-fund', '--ignore-scripts', '--fetch-retries=0', runner.install]
          const installed = await run('npm', args, folder)
          if (installed.code !== 0) {
            console.log(`      skipped: ${runner.install} could not be installed: ${installed.output.slice(0, 300)}`)
            return this.skip()
          }
        }
        mkdirSync(join(folder, 'node_modules'), { recursive: true })
        symlinkSync(root, join(folder, 'node_modules/outpool'))
        writeFileSync(join(folder, runner.file), runner.text)
        const binary = runner.install === undefined ? runner.binary : join(folder, 'node_modules', runner.binary)
        const { output } = await run(
          process.execPath,
          runner.args(binary),
          dirname(join(folder, runner.file)),
          runner.env,
        )
        expect(output).to.match(runner.passed)
      } finally {
        rmSync(folder, { recursive: true, force: true })
      }
    })
  }
})
