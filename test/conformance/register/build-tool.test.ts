/**
 * The UI5 command line, a published build tool: it minifies in a pool of `workerpool`, and builds themes in another one
 * whose tasks read files over a MessagePort. By registration alone the first runs on workers of Outpool.
 */
import { expect } from 'chai'
import { spawn } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import process from 'node:process'
import type { WorkerpoolReport } from '../../../compat/workerpool/index.ts'
import { TestCluster } from '../../cluster/support.ts'
import { installedTool } from '../../tools/installed-tool.ts'
import { readText, root } from '../../tools/tree.ts'

const tool = { name: '@ui5/cli', version: '4.0.69' }
const scripts = ['array', 'collection', 'core', 'function', 'lang', 'math', 'object', 'seq', 'string', 'util']

const project: Readonly<Record<string, string>> = {
  'package.json': JSON.stringify({ name: 'sample', version: '1.0.0' }),
  'ui5.yaml': 'specVersion: "4.0"\ntype: library\nmetadata:\n  name: sample\n',
  'src/sample/.library': `<library xmlns="http://www.sap.com/sap.ui.library.xsd"><name>sample</name>
    <vendor>none</vendor><version>1.0.0</version><documentation>A sample.</documentation></library>`,
  'src/sample/themes/base/library.source.less': '@color: #123456;\n.a { color: darken(@color, 10%) }\n',
  // Loaded before the tool: tells at its end what explain() says of its pools.
  'told.mjs': `import { writeFileSync } from 'node:fs'
    import { isMainThread } from 'node:worker_threads'
    import { explain } from 'outpool'
    import workerpool from 'outpool/workerpool'
    const { pool } = workerpool
    const pools = []
    workerpool.pool = (...given) => pools[pools.push(pool(...given)) - 1]
    if (isMainThread && workerpool.isMainThread)
      process.on('exit', () => writeFileSync('told.json', JSON.stringify(pools.map((one) => explain(one)))))`,
}

describe('the UI5 command line', () => {
  let installed: string
  let folder: string
  let plain: Record<string, string>

  before(async function () {
    // A registry takes as long as it takes.
    this.timeout(0)
    installed = installedTool(this, tool.name, tool.version)
    folder = mkdtempSync(join(installed, 'p-'))
    for (const [path, text] of Object.entries(project)) {
      mkdirSync(dirname(join(folder, path)), { recursive: true })
      writeFileSync(join(folder, path), text)
    }
    for (const name of scripts)
      cpSync(join(root, `node_modules/lodash/${name}.js`), join(folder, `src/sample/${name}.js`))
    plain = await built('plain', [])
  })
  after(() => {
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true })
  })

  /** What the tool makes of the project: texts by their paths. */
  async function built(name: string, node: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<typeof plain> {
    const cli = join(installed, 'node_modules/@ui5/cli/bin/ui5.cjs')
    const child = spawn(
      process.execPath,
      [...node, cli, 'build', '--dest', name, '--exclude-task', 'replaceBuildtime'],
      {
        cwd: folder,
        stdio: ['ignore', 'ignore', 'pipe'],
        env: { ...process.env, NODE_OPTIONS: '', ...env },
      },
    )
    let errors = ''
    child.stderr.on('data', (bytes: Buffer) => (errors += bytes.toString()))
    const code = await new Promise((resolve) => child.once('close', resolve))
    expect(code, errors).to.equal(0)
    const out = join(folder, name)
    const files = readdirSync(out, { recursive: true, encoding: 'utf8' }).filter((path) =>
      statSync(join(out, path)).isFile(),
    )
    return Object.fromEntries(files.sort().map((path) => [path, readFileSync(join(out, path), 'utf8')]))
  }

  const registered = ['--import', 'outpool/register', '--import', './told.mjs']
  const told = (): WorkerpoolReport[] =>
    JSON.parse(readFileSync(join(folder, 'told.json'), 'utf8')) as WorkerpoolReport[]

  function expectOnWorkers(nodes?: readonly string[]): void {
    const [minifier, themes] = told()
    expect(minifier?.where).to.equal('cluster')
    expect(minifier?.workers.reduce((sum, { items }) => sum + items, 0)).to.equal(scripts.length)
    if (nodes !== undefined) expect(nodes).to.include.members(minifier?.workers.map(({ node }) => node) ?? [])
    expect(themes?.stayed).to.deep.equal({ calls: 1, reason: 'transfer holds a MessagePort' })
  }

  it('is in the guide in this version', () => {
    expect(readText('migration-guide/README.md')).to.include(`npm install ${tool.name}@${tool.version} outpool`)
  })

  it('makes the same files on workers of this machine', async () => {
    expect(Object.keys(plain).filter((path) => /\.js$/.test(path))).to.have.length.greaterThan(2 * scripts.length)
    expect(await built('here', registered)).to.deep.equal(plain)
    expectOnWorkers()
  })

  it('makes the same files on workers of three nodes', async () => {
    const cluster = new TestCluster()
    try {
      const nodes = await cluster.startAll(2)
      const env = { OUTPOOL_ADDRESS: nodes[0]!.url, OUTPOOL_TOKEN: cluster.token }
      expect(await built('there', registered, env)).to.deep.equal(plain)
      expectOnWorkers(nodes.map(({ id }) => id))
    } finally {
      await cluster.close()
    }
  })
})
