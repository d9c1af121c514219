import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'

const root = fileURLToPath(new URL('../../', import.meta.url))
const program = fileURLToPath(new URL('./programs/captures.mjs', import.meta.url))

async function run(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  input?: readonly string[],
): Promise<string> {
  const { NODE_OPTIONS: _options, ...outer } = process.env
  const child = spawn(process.execPath, args, { cwd: root, env: { ...outer, ...env }, stdio: 'pipe' })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (output += text))
  }
  if (input === undefined) child.stdin.end()
  else child.stdin.write(`${input.join('\n')}\n`)
  await once(child, 'close')
  return output
}

const inline = `
  const { init, remote, shutdown } = require('outpool')
  let base = 40
  const twice = (x) => x * 2
  const show = async () => {
    await init({ numCpus: 1 })
    const far = remote((x) => twice(x) + base)
    const first = await far.run(1)
    base = 50
    console.log('inline', first, await far.run(1))
    await shutdown()
  }
`

describe('programs whose functions capture', function () {
  this.timeout(120_000)

  it('learn of each change that was lost, with OUTPOOL_CHECK=1', async () => {
    const output = await run([program, 'check'], { OUTPOOL_CHECK: '1' })
    const told = [...output.matchAll(/OUTPOOL_CHECK: \w+ changed '(\w+)'/g)].map(([, name]) => name)
    expect(told, output).to.have.members(['counted', 'log', 'meter', 'nested', 'rows'])
    expect(output).to.include('quiet 2')
  })

  it('are told once, with variable and line, of what may be lost', async () => {
    const output = await run([program, 'warn'])
    const told = output.split('\n').filter((line) => line.startsWith('outpool: remote('))
    expect(told, output).to.have.length(1)
    expect(told[0]).to.include("'meter' (line 2)").and.to.include('OUTPOOL_CHECK=1')
    expect(output.match(/^sum \d/gm), 'each call has what it was').deep.equal(['sum 1', 'sum 2', 'sum 3'])
  })

  it('pass functions as arguments and get them as results; their own come back as themselves', async () => {
    const output = await run([program, 'values'])
    expect(output).to.include('argument [ 3, 6 ]').and.to.include('result 30').and.to.include('own true')
    expect(output).to.include("refused 0 args[1]: a function (anonymous): it assigns to 'total' (line 1)")
  })

  it('are refused by name where there is no inspector, and all else works', async () => {
    const flag = process.allowedNodeEnvironmentFlags.has('--permission') ? '--permission' : '--experimental-permission'
    // What is refused unless it is allowed has become more with each release.
    const later = ['--allow-addons', '--allow-net', '--allow-ffi']
    const known = later.filter((each) => process.allowedNodeEnvironmentFlags.has(each))
    const allowed = ['--allow-fs-read=*', '--allow-fs-write=*', '--allow-child-process', '--allow-worker', ...known]
    const output = await run([flag, ...allowed, program, 'plain'])
    expect(output).to.include('plain 2')
    expect(output).to.match(/^refused remote\(anonymous function\): it uses 'outer' \(line 1\), which is not defined/m)
  })

  it('are debugged as they run: under --inspect', async () => {
    expect(await run(['--inspect=127.0.0.1:0', program, 'captures'])).to.include('captures 2 true 11')
  })

  it('are a text of the command line: node -e', async () => {
    expect(await run(['-e', `${inline}; show()`])).to.include('inline 42 52')
    const module = inline.replace(/const (.*) = require\('outpool'\)/, "import $1 from 'outpool'")
    expect(await run(['--input-type=module', '-e', `${module}; await show()`])).to.include('inline 42 52')
  })

  it('are typed into the REPL', async () => {
    const lines = [
      "const { init, remote, shutdown } = require('outpool')",
      'let base = 40',
      'const twice = (x) => x * 2',
      'const far = remote((x) => twice(x) + base)',
      'const again = (first) => { base = 50; return far.run(1).then((second) => console.log("typed", first, second)) }',
      // It reads on for as long as the program runs: the program ends it.
      'init({ numCpus: 1 }).then(() => far.run(1)).then(again).then(shutdown).finally(() => process.exit())',
    ]
    expect(await run(['-i'], {}, lines)).to.include('typed 42 52')
  })
})
