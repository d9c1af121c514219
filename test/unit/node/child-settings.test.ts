import { spawnSync } from 'node:child_process'
import { expect } from 'chai'
import {
  childEnvironment,
  childExecArgv,
  childOptions,
  withVariables,
  workerEnvironment,
} from '../../../runtime/node/child-settings.ts'

describe('runtime/node/child-settings', () => {
  const { execArgv } = process
  const before = process.env['NODE_OPTIONS']
  afterEach(() => {
    process.execArgv = execArgv
    if (before === undefined) delete process.env['NODE_OPTIONS']
    else process.env['NODE_OPTIONS'] = before
  })

  it('passes the variables it names and what is added, nothing else', () => {
    const source = { PATH: '/bin', HOME: '/h', OUTPOOL_TOKEN: 'secret', NODE_OPTIONS: '--inspect', AWS_SECRET: 'x' }
    expect(childEnvironment(source)).to.deep.equal({ PATH: '/bin', HOME: '/h' })
    expect(workerEnvironment(source, { MINE: '1' })).to.deep.equal({ PATH: '/bin', HOME: '/h', MINE: '1' })
  })

  it('passes options that load modules, with their values, and leaves out the debugger and programs', () => {
    process.execArgv = ['--inspect=9229', '--import', 'tsx', '--eval', 'x', '--max_old_space_size=100', '--watch']
    expect(childExecArgv()).to.deep.equal(['--import', 'tsx', '--max_old_space_size=100'])
  })

  it('leaves what NODE_OPTIONS says there, read and written as Node does', () => {
    const name = String.raw`a "b" \\ c.js`
    const given = `--inspect --require "${name.replace(/["\\]/g, '\\$&')}"  --conditions=dev`
    process.env['NODE_OPTIONS'] = given
    process.execArgv = ['--import', 'tsx']
    expect(childExecArgv()).to.deep.equal(['--import', 'tsx'])
    expect(childOptions()).to.deep.equal(['--require', name, '--conditions=dev', '--import', 'tsx'])
    const passed = workerEnvironment({ NODE_OPTIONS: given })['NODE_OPTIONS'] as string
    process.env['NODE_OPTIONS'] = passed
    expect(childOptions()).to.deep.equal(['--require', name, '--conditions=dev', '--import', 'tsx'])
    const { stderr } = spawnSync(process.execPath, ['-p', '1'], { env: { NODE_OPTIONS: passed }, encoding: 'utf8' })
    expect(stderr).to.include(`Cannot find module '${name}'`)
  })

  it('adds to NODE_OPTIONS what the environment of a task says of it', () => {
    const environment = { A: '1', NODE_OPTIONS: '--conditions=dev' }
    expect(withVariables(environment, { B: '2' })).to.deep.equal({ ...environment, B: '2' })
    expect(withVariables(environment, { NODE_OPTIONS: '--no-warnings' })).to.deep.equal({
      ...environment,
      NODE_OPTIONS: '--conditions=dev --no-warnings',
    })
    expect(withVariables({ A: '1' }, { A: '2', NODE_OPTIONS: '' })).to.deep.equal({ A: '2', NODE_OPTIONS: '' })
  })
})
