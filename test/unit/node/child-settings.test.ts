import { expect } from 'chai'
import { childEnvironment, childExecArgv } from '../../../runtime/node/child-settings.ts'

describe('runtime/node/child-settings', () => {
  it('passes the variables it names and what is added, nothing else', () => {
    const source = { PATH: '/bin', HOME: '/h', OUTPOOL_TOKEN: 'secret', NODE_OPTIONS: '--inspect', AWS_SECRET: 'x' }
    expect(childEnvironment(source, { MINE: '1' })).to.deep.equal({ PATH: '/bin', HOME: '/h', MINE: '1' })
  })

  it('passes options that load modules, with their values, and leaves out the debugger and programs', () => {
    expect(
      childExecArgv(['--inspect=9229', '--import', 'tsx', '--eval', 'import x', '--max_old_space_size=100', '--watch']),
    ).to.deep.equal(['--import', 'tsx', '--max_old_space_size=100'])
  })

  it('reads NODE_OPTIONS as Node does', () => {
    expect(childExecArgv([], '--inspect --require "a b.js"  --conditions=dev')).to.deep.equal([
      '--require',
      'a b.js',
      '--conditions=dev',
    ])
  })
})
