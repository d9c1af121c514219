import { expect } from 'chai'
import { parseExecArgv } from '../../../compat/workerpool/exec-argv.ts'
import { poolKind } from '../../../compat/workerpool/pool-kind.ts'

const plain = { workerType: 'auto', emitStdStreams: false }

describe('poolKind', () => {
  it('runs on the cluster by default, as threads or as processes', () => {
    for (const workerType of ['auto', 'thread', 'process'])
      expect(poolKind({ ...plain, workerType }, {}).where).to.equal('cluster')
  })

  it('runs on the cluster with options of fork that a process elsewhere can have', () => {
    expect(
      poolKind(plain, { forkOpts: { env: {}, cwd: '/', serialization: 'advanced' }, forkArgs: ['a'] }).where,
    ).to.equal('cluster')
  })

  it('runs on the cluster with flags that a worker can be given later', () => {
    for (const execArgv of [[], ['--import', 'tsx', '--expose-gc'], ['--require=./hook.cjs', '-r', 'x']])
      expect(poolKind(plain, { forkOpts: { execArgv } }).where).to.equal('cluster')
    expect(parseExecArgv(['--import=tsx', '-r', './a.cjs', '--expose_gc', '--enable-source-maps'])).to.deep.equal({
      preloads: ['tsx', './a.cjs'],
      exposeGc: true,
      sourceMaps: true,
    })
  })

  it('stays beside the program where an option binds it to that, and names the option', () => {
    const reason = (kind: ReturnType<typeof poolKind>): string | undefined =>
      kind.where === 'local' ? kind.reason : undefined
    expect(reason(poolKind(plain, { workerThreadOpts: { workerData: 1 } }))).to.contain('workerThreadOpts.workerData')
    expect(reason(poolKind(plain, { forkOpts: { execArgv: ['--inspect=9229'] } }))).to.contain('execArgv: --inspect')
    expect(reason(poolKind(plain, { forkOpts: { silent: true } }))).to.contain('forkOpts.silent')
    expect(reason(poolKind({ ...plain, emitStdStreams: true }, {}))).to.contain('emitStdStreams')
    expect(reason(poolKind({ ...plain, workerType: 'web' }, {}))).to.contain('web')
  })
})
