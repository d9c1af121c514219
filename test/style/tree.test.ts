import { expect } from 'chai'
import { errorClasses } from '../../runtime/base/errors.ts'
import { missingEntries } from '../tools/complete-lock.mjs'
import { readText, repositoryFiles, runNode, tool } from '../tools/tree.ts'

const allowedTop: readonly string[] = [
  'package.json',
  'tsconfig.json',
  'lib',
  'compat',
  'runtime',
  'test',
  'migration-guide',
  'README.md',
  // Lock file, licence, changelog, and the configuration of a tool that looks for it here.
  'package-lock.json',
  'LICENSE',
  'CHANGELOG.md',
  'knip.json',
]
const textFile: RegExp = /\.(ts|mts|cts|js|mjs|cjs|json|md|yml|yaml|sh|patch|txt)$|(^|\/)[^.]+$/

/** Written in pieces, so that this file does not find itself. */
const workplaceTraces: readonly string[] = ['shared/' + 'design', '/work' + '/', '/tmp/' + 'brief']

function filesWith(found: (text: string) => boolean, ...folders: string[]): string[] {
  return repositoryFiles(...folders).filter((path) => textFile.test(path) && found(readText(path)))
}

describe('the repository', function () {
  // A tool takes as long as it takes.
  this.timeout(0)

  it('has nothing at its top level but what belongs there, and dot files', () => {
    const top = new Set(repositoryFiles().map((path) => path.split('/')[0] ?? ''))
    expect([...top].filter((name) => !name.startsWith('.') && !allowedTop.includes(name))).deep.equal([])
  })

  it('names no folder of the place where it was written', () => {
    expect(filesWith((text) => workplaceTraces.some((trace) => text.includes(trace)))).deep.equal([])
  })

  it('has no `export *` and no other compiler or linter silenced for a whole file', () => {
    const source = ['lib', 'compat', 'runtime']
    expect(
      filesWith((text) => /^\s*export \*/m.test(text), ...source),
      'export *',
    ).deep.equal([])
    expect(
      filesWith((text) => /@ts-(nocheck|ignore)/.test(text), ...source),
      '@ts-nocheck, @ts-ignore',
    ).deep.equal([])
    const silenced = filesWith((text) => /\/\*\s*(oxlint|eslint)-disable(?!-)/.test(text), ...source)
    expect(silenced, 'a linter comment for the whole file').deep.equal([])
  })

  it('has a lock file that names no registry, and that npm ci accepts on every platform', () => {
    const text = readText('package-lock.json')
    expect(text).not.to.include('"resolved"')
    expect(
      [...missingEntries(JSON.parse(text) as unknown).keys()],
      'mend with: node test/tools/complete-lock.mjs',
    ).deep.equal([])
  })

  it('is formatted', () => {
    // What has not changed since it was looked at is not looked at again.
    const cache = ['--cache', '--cache-strategy', 'content', '--cache-location', '.cache/prettier']
    const prettier = tool('prettier/bin/prettier.cjs')
    const { status, output } = runNode([prettier, '--check', '--log-level', 'warn', ...cache, '.'])
    expect(status, `mend with: npm run format\n${output}`).equal(0)
  })

  it('passes the linter, typed rules and layer rule included', () => {
    const { status, output } = runNode([tool('oxlint/bin/oxlint')])
    expect(status, output).equal(0)
  })

  it('passes the type checker, tests included', () => {
    const { status, output } = runNode([tool('typescript/bin/tsc'), '-p', 'test/tsconfig.json'])
    expect(status, output).equal(0)
  })

  it('has no unused file, export or dependency', () => {
    const { status, output } = runNode([tool('knip/bin/knip.js'), '--no-progress'])
    expect(status, output).equal(0)
  })
})

describe('the errors', () => {
  const section: string = [...repositoryFiles('README.md', 'migration-guide')]
    .filter((path) => path.endsWith('.md'))
    .map((path) => /^#+ Errors\n([\s\S]*?)(?=^#+ |(?![\s\S]))/m.exec(readText(path))?.[1] ?? '')
    .join('\n')

  function codeOf(type: unknown): string {
    return (type as { readonly code: string }).code
  }

  before(function () {
    if (section.trim() === '') {
      console.log('      skipped: neither README.md nor a guide has no section "Errors" yet')
      this.skip()
    }
  })

  it('are all in a table of the README or a guide, each with its code', () => {
    const missing = Object.entries(errorClasses())
      .flatMap(([name, type]) => [name, codeOf(type)])
      .filter((word) => !section.includes(`\`${word}\``))
    expect(missing).deep.equal([])
  })

  it('that such a table names all exist', () => {
    const classes = errorClasses()
    const codes = Object.values(classes).map(codeOf)
    const named = [...section.matchAll(/`(ERR_OUTPOOL\w*|\w+Error)`/g)].map((match) => match[1] ?? '')
    const unknown = named.filter(
      (word) => !codes.includes(word) && classes[word] === undefined && !(word in globalThis),
    )
    expect(unknown).deep.equal([])
  })
})
