import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { expect } from 'chai'
import { RuntimeEnvSetupError } from '../../../../runtime/base/errors.ts'
import { findLockfile, installCommand, needsDevelopment } from '../../../../runtime/code/modules/lockfile.ts'

describe('the lockfile of a project', () => {
  let root: string
  const write = (files: Readonly<Record<string, string>>): void => {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(root, path)), { recursive: true })
      writeFileSync(join(root, path), text)
    }
  }
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'lock-'))
  })
  afterEach(() => rmSync(root, { recursive: true, force: true }))

  const npm = JSON.stringify({
    packages: { '': {}, 'packages/a': {}, 'node_modules/x': {}, 'packages/a/node_modules/y': {} },
  })
  const pnpm =
    "lockfileVersion: '9.0'\n\nimporters:\n\n  .:\n    dependencies:\n      x: 1\n\n  packages/a:\n    dependencies:\n      y: 1\n\npackages:\n\n  x@1:\n    resolution: {}\n"
  const berry =
    '__metadata:\n  version: 8\n\n"a@workspace:packages/a":\n  version: 0.0.0-use.local\n\n"root@workspace:.":\n  version: 0.0.0-use.local\n'
  const rows: readonly (readonly [file: string, text: string, manager: string, files: readonly string[]])[] = [
    ['package-lock.json', npm, 'npm', ['package-lock.json', 'package.json', 'packages/a/package.json']],
    ['npm-shrinkwrap.json', npm, 'npm', ['npm-shrinkwrap.json', 'package.json', 'packages/a/package.json']],
    [
      'pnpm-lock.yaml',
      pnpm,
      'pnpm',
      ['package.json', 'packages/a/package.json', 'pnpm-lock.yaml', 'pnpm-workspace.yaml'],
    ],
    ['yarn.lock', '# yarn lockfile v1\n\n"x@1":\n  version "1.0.0"\n', 'yarn', ['package.json', 'yarn.lock']],
    ['yarn.lock', berry, 'yarn-berry', ['package.json', 'packages/a/package.json', 'yarn.lock']],
  ]
  for (const [file, text, manager, files] of rows) {
    it(`${file} is ${manager}'s, and travels with each package.json of the workspace`, () => {
      write({
        [file]: text,
        'package.json': '{}',
        'packages/a/package.json': '{}',
        'packages/b/package.json': '{}',
        'pnpm-workspace.yaml': '',
      })
      const found = findLockfile(join(root, 'packages/a'))
      expect(found).to.include({ manager, folder: root })
      expect(found.files.map(({ path }) => path).sort()).to.deep.equal(files)
    })
  }

  it('is asked for by name where there is none, or where it cannot be read', () => {
    expect(() => findLockfile(root)).to.throw(RuntimeEnvSetupError, /package-lock\.json.*npm: 'vendor'/)
    write({ 'package-lock.json': '{', 'package.json': '{}' })
    expect(() => findLockfile(root)).to.throw(RuntimeEnvSetupError, /package-lock\.json is no JSON/)
  })

  it('says whether development dependencies are needed', () => {
    write({ 'package.json': JSON.stringify({ dependencies: { a: '1' }, devDependencies: { a: '1', b: '1' } }) })
    expect(needsDevelopment(root, ['a'])).to.equal(false)
    expect(needsDevelopment(root, ['a', 'b'])).to.equal(true)
    expect(needsDevelopment(join(root, 'nowhere'), ['a'])).to.equal(false)
  })

  it('is obeyed exactly, without install scripts unless they are allowed', () => {
    for (const manager of ['npm', 'pnpm', 'yarn', 'yarn-berry'] as const) {
      const off = installCommand({ manager, scripts: false, development: false })
      const on = installCommand({ manager, scripts: true, development: true })
      const all = [...off.args, ...Object.values(off.env)].join(' ')
      expect(all, manager).to.match(/\bci\b|--frozen-lockfile|--immutable/)
      expect(`${all} ${JSON.stringify(off.env)}`, manager).to.match(/--ignore-scripts|"YARN_ENABLE_SCRIPTS":"false"/)
      expect([...on.args, JSON.stringify(on.env)].join(' '), manager).to.not.match(
        /--ignore-scripts|"YARN_ENABLE_SCRIPTS":"false"|--prod|--omit/,
      )
    }
  })
})
