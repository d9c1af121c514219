import { expect } from 'chai'
import { groupLimit } from '../../../lib/cli/doctor-machine.ts'

describe('groupLimit', () => {
  const limit = (groups: string, files: Readonly<Record<string, string>>): number =>
    groupLimit(groups, (file) => files[file] ?? '')

  it('is that of the group of version 2, or of its container', () => {
    const groups = '0::/system.slice/app.service\n'
    expect(limit(groups, { '/sys/fs/cgroup/system.slice/app.service/pids.max': '100\n' })).to.equal(100)
    expect(limit('0::/\n', { '/sys/fs/cgroup/pids.max': '64\n' })).to.equal(64)
  })

  it('is that of the group around it which allows the least', () => {
    const files = {
      '/sys/fs/cgroup/user.slice/pids.max': '90\n',
      '/sys/fs/cgroup/user.slice/a/pids.max': 'max\n',
      '/sys/fs/cgroup/user.slice/a/b.scope/pids.max': '500\n',
    }
    expect(limit('0::/user.slice/a/b.scope\n', files)).to.equal(90)
  })

  it('is that of the controller of version 1, whatever others say', () => {
    const groups = '9:cpu,cpuacct:/docker/1\n8:pids:/docker/1\n0::/\n'
    expect(limit(groups, { '/sys/fs/cgroup/pids/docker/1/pids.max': '32\n' })).to.equal(32)
    expect(limit(groups, { '/sys/fs/cgroup/pids/pids.max': '16\n' })).to.equal(16)
    expect(limit(groups, { '/sys/fs/cgroup/cpu/docker/1/pids.max': '8\n' })).to.equal(Infinity)
  })

  it('is none where there is none', () => {
    expect(limit('0::/\n', { '/sys/fs/cgroup/pids.max': 'max\n' })).to.equal(Infinity)
    expect(limit('', {})).to.equal(Infinity)
  })
})
