import { expect } from 'chai'
import { availableParallelism, totalmem } from 'node:os'
import { groupCpus, groupMemory, usableCpus, usableMemory } from '../../../runtime/base/usable.ts'

type Files = Readonly<Record<string, string>>
const mebibyte = 1024 ** 2

describe('the memory that a process may use', () => {
  const memory = (groups: string, files: Files): number => groupMemory(groups, (file) => files[file] ?? '')

  it('is that of its group, or of its container', () => {
    const groups = '0::/system.slice/app.service\n'
    expect(memory(groups, { '/sys/fs/cgroup/system.slice/app.service/memory.max': '104857600\n' })).to.equal(
      100 * mebibyte,
    )
    expect(memory('0::/\n', { '/sys/fs/cgroup/memory.max': '1048576\n' })).to.equal(mebibyte)
    const v1 = { '/sys/fs/cgroup/memory/docker/1/memory.limit_in_bytes': '2097152\n' }
    expect(memory('8:memory:/docker/1\n0::/\n', v1)).to.equal(2 * mebibyte)
  })

  it('is that of the group around it which allows the least: a job of a batch system has its steps within', () => {
    const files = {
      '/sys/fs/cgroup/slurm/job/memory.max': '1048576\n',
      '/sys/fs/cgroup/slurm/job/step/memory.max': 'max\n',
      '/sys/fs/cgroup/slurm/job/step/task/memory.max': '3145728\n',
    }
    expect(memory('0::/slurm/job/step/task\n', files)).to.equal(mebibyte)
    const none = '9223372036854771712\n'
    const v1 = {
      '/sys/fs/cgroup/memory/memory.limit_in_bytes': none,
      '/sys/fs/cgroup/memory/job/memory.limit_in_bytes': '1048576\n',
      '/sys/fs/cgroup/memory/job/step/memory.limit_in_bytes': none,
    }
    expect(memory('8:memory:/job/step\n', v1)).to.equal(mebibyte)
  })

  it('is that of the machine where there is no limit', () => {
    expect(memory('0::/\n', { '/sys/fs/cgroup/memory.max': 'max\n' })).to.equal(Infinity)
    expect(memory('', {})).to.equal(Infinity)
    expect(usableMemory()).to.be.within(1, totalmem())
  })
})

describe('the CPUs that a process may use', () => {
  const cpus = (groups: string, files: Files): number => groupCpus(groups, (file) => files[file] ?? '')

  it('are what the quota of its group pays for, or of its container', () => {
    expect(cpus('0::/\n', { '/sys/fs/cgroup/cpu.max': '150000 100000\n' })).to.equal(1.5)
    const v1 = {
      '/sys/fs/cgroup/cpu/docker/1/cpu.cfs_quota_us': '100000\n',
      '/sys/fs/cgroup/cpu/docker/1/cpu.cfs_period_us': '50000\n',
    }
    expect(cpus('4:cpu,cpuacct:/docker/1\n0::/\n', v1)).to.equal(2)
  })

  it('are those of the group around it which pays for the fewest', () => {
    const files = {
      '/sys/fs/cgroup/pod/cpu.max': '200000 100000\n',
      '/sys/fs/cgroup/pod/1/cpu.max': 'max 100000\n',
    }
    expect(cpus('0::/pod/1\n', files)).to.equal(2)
  })

  it('are those of the machine where there is no quota', () => {
    expect(cpus('0::/\n', { '/sys/fs/cgroup/cpu.max': 'max 100000\n' })).to.equal(Infinity)
    const v1 = { '/sys/fs/cgroup/cpu/cpu.cfs_quota_us': '-1\n', '/sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000\n' }
    expect(cpus('4:cpu:/\n', v1)).to.equal(Infinity)
    expect(cpus('', {})).to.equal(Infinity)
    expect(usableCpus()).to.be.within(1, availableParallelism())
  })
})
