import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { expect } from 'chai'
import { installedTool } from '../tools/installed-tool.ts'
import { linkPackages } from '../tools/link-packages.ts'

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
  /** Large, and nothing else needs it: installed where there is a registry. */
  readonly install?: { readonly name: string; readonly version: string }
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
    install: { name: 'vitest', version: '3.2.7' },
    file: 'smoke.test.mjs',
    text: `${outpool}import { test } from 'vitest'\n${smoke}`,
    binary: 'vitest/vitest.mjs',
    args: (binary) => [binary, 'run', '--no-color'],
    passed: /Tests {2}1 passed/,
  },
  jest: {
    install: { name: 'jest', version: '29.7.0' },
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
    execFile(command, args, { cwd, env: { ...env, ...more }, timeout: 300_000 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : 1, output: stdout + stderr })
    })
  })
}

describe('functions that capture, in the tests of a program', function () {
  // A registry takes as long as it takes.
  this.timeout(0)

  for (const [name, runner] of Object.entries(runners)) {
    it(`travel under ${name}`, async function () {
      const { install } = runner
      const home = install === undefined ? tmpdir() : installedTool(this, install.name, install.version)
      const folder = mkdtempSync(join(home, 'runner-'))
      try {
        writeFileSync(join(folder, 'package.json'), '{ "private": true, "type": "module" }\n')
        linkPackages(folder)
        writeFileSync(join(folder, runner.file), runner.text)
        const binary = install === undefined ? runner.binary : join(home, 'node_modules', runner.binary)
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
