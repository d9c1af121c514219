import { expect } from 'chai'
import { OutOfDiskError, OutpoolError } from '../../../runtime/base/errors.ts'
import { advised, describeEnd, systemAdvice, withAdvice } from '../../../runtime/base/system-advice.ts'

const refused = (code: string): Error => Object.assign(new Error(`${code}: the words of the system`), { code })

describe('runtime/base/system-advice', () => {
  it('says what to do behind the words of the system, where there is something', () => {
    const expected = [
      ['ENOSPC', 'df -i'],
      ['EROFS', 'read-only'],
      ['EFBIG', 'ulimit -f'],
      ['EMFILE', 'ulimit -n'],
      ['EAGAIN', 'ulimit -u'],
      ['ENOMEM', '--num-cpus'],
    ] as const
    for (const [code, advice] of expected) {
      expect(withAdvice(refused(code)))
        .to.match(new RegExp(`^${code}: the words of the system; `))
        .and.contain(advice)
      const error = advised('it failed', refused(code)) as OutpoolError
      expect(error).to.be.instanceOf(OutpoolError).and.have.property('cause')
      expect(error.message).to.equal(`it failed: ${withAdvice(refused(code))}`)
    }
  })

  it('says of a process how it ended, and what that says of the machine', () => {
    expect(describeEnd(null, 'SIGABRT'))
      .to.match(/^SIGABRT; /)
      .and.contain('ulimit -u')
    expect(describeEnd(null, 'SIGKILL'))
      .to.match(/^SIGKILL; /)
      .and.contain('dmesg')
    expect(describeEnd(null, 'SIGTERM')).to.equal('SIGTERM')
    expect(describeEnd(9, null)).to.equal('exit code 9')
  })

  it('leaves everything else as it is', () => {
    for (const error of [refused('ENOENT'), new TypeError('a mistake'), undefined, null, 'text', 7]) {
      expect(systemAdvice(error)).to.equal('')
      expect(advised('it failed', error)).to.equal(error)
    }
    const own = new OutOfDiskError('told already', { cause: refused('ENOSPC') })
    expect(advised('it failed', own)).to.equal(own)
    expect(withAdvice(refused('ENOENT'))).to.equal('ENOENT: the words of the system')
    expect(withAdvice('text')).to.equal('text')
  })
})
